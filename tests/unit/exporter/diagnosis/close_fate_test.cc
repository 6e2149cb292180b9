#include "exporter/diagnosis/close_fate.h"

#include <gtest/gtest.h>

#include <map>

namespace finwait::diagnosis {
namespace {

using firewall::eval::Disposition;
using firewall::eval::PacketKind;
using firewall::eval::PacketTracking;
using firewall::eval::TraversalResult;
using firewall::eval::Tristate;

TraversalResult Result(Disposition disposition, PacketTracking state = PacketTracking::kNoEntry) {
  TraversalResult result;
  result.disposition = disposition;
  result.state = state;
  return result;
}

// A host on whose way out everything is dropped that has no entry, and whose peer's window may be closed.
class ClosedWindowTest : public ::testing::Test {
 protected:
  Fate Of(Tristate window_closed, TraversalResult peers_ack, Fate with_entry = Fate::kClean) {
    ClosingPackets packets;
    packets.traverse = [&](PacketKind kind) {
      return kind == PacketKind::kAck ? peers_ack : Result(Disposition::kDrop);
    };
    packets.translation = [] {
      firewall::eval::NatEffect none;
      none.source = none.destination = Tristate::kNo;
      return none;
    };
    packets.with_entry = [&] {
      CloseOutcome outcome;
      outcome.fate = with_entry;
      return outcome;
    };
    packets.window_closed = [&] {
      ++asked_;
      return window_closed;
    };
    packets.sends_first = sends_first_;
    return CombineFate(packets).fate;
  }

  static inline const TraversalResult kMakesAnEntry = Result(Disposition::kAccept, PacketTracking::kNew);
  bool sends_first_ = true;
  int asked_ = 0;
};

TEST_F(ClosedWindowTest, ThePeersUpdateOfItMakesAnEntry) {
  EXPECT_EQ(Of(Tristate::kYes, kMakesAnEntry), Fate::kPeerDecides) << "it sends one once it reads";
  EXPECT_EQ(Of(Tristate::kYes, kMakesAnEntry, Fate::kFinDropped), Fate::kFinDropped);
}

TEST_F(ClosedWindowTest, OfAnOpenOneNothingComes) {
  EXPECT_EQ(Of(Tristate::kNo, kMakesAnEntry), Fate::kFinDropped);
  EXPECT_EQ(Of(Tristate::kUnknown, kMakesAnEntry), Fate::kUnknown);
}

TEST_F(ClosedWindowTest, AnUpdateThatMakesNoEntryHelpsNobody) {
  EXPECT_EQ(Of(Tristate::kYes, Result(Disposition::kAccept)), Fate::kFinDropped);
  EXPECT_EQ(Of(Tristate::kYes, Result(Disposition::kDrop, PacketTracking::kNew)), Fate::kFinDropped);
  EXPECT_EQ(asked_, 0);
}

TEST_F(ClosedWindowTest, WhatHasNothingQueuedIsNotAsked) {
  sends_first_ = false;
  EXPECT_EQ(Of(Tristate::kYes, kMakesAnEntry), Fate::kFinDropped);
  EXPECT_EQ(asked_, 0);
}

// A connection whose data is let through as the first packet of an entry, and whose FIN would not be.
class ResumedTest : public ::testing::Test {
 protected:
  CloseOutcome Outcome() {
    ClosingPackets packets;
    packets.traverse = [&](PacketKind kind) {
      return kind == PacketKind::kAck ? ack_ : kind == PacketKind::kData ? data_ : Result(Disposition::kDrop);
    };
    packets.translation = [&] { return firewall::eval::NatEffect{Tristate::kNo, translated_, {}}; };
    packets.with_entry = [] {
      CloseOutcome clean;
      clean.fate = Fate::kClean;
      return clean;
    };
    packets.window_closed = [] { return Tristate::kNo; };
    packets.sends_first = true;
    packets.multipath = multipath_;
    packets.peer_has_closed = peer_has_closed_;
    return CombineFate(packets);
  }

  TraversalResult data_ = Result(Disposition::kAccept, PacketTracking::kNew);
  TraversalResult ack_ = Result(Disposition::kAccept, PacketTracking::kNew);
  Tristate translated_ = Tristate::kNo;
  bool multipath_ = false;
  bool peer_has_closed_ = false;
};

TEST_F(ResumedTest, DataThatIsTranslatedAsBeforeBringsATranslatedConnectionBack) {
  translated_ = Tristate::kYes;
  EXPECT_EQ(Outcome().fate, Fate::kClean);
  data_ = Result(Disposition::kUnknown, PacketTracking::kNew);
  EXPECT_EQ(Outcome().fate, Fate::kUnknown) << "to the same port or to another";
  data_ = Result(Disposition::kDrop, PacketTracking::kNew);
  EXPECT_EQ(Outcome().fate, Fate::kNatLost);
  data_ = Result(Disposition::kAccept, PacketTracking::kNoEntry);
  EXPECT_EQ(Outcome().fate, Fate::kNatLost) << "let through, and not translated";
}

TEST_F(ResumedTest, ADataFinOfThePeerHasToComeInWithoutAnEntry) {
  ack_ = Result(Disposition::kDrop, PacketTracking::kNew);
  EXPECT_EQ(Outcome().fate, Fate::kClean) << "what this end sends makes one";
  multipath_ = true;
  const CloseOutcome lost = Outcome();
  EXPECT_EQ(lost.fate, Fate::kPeerFinDropped) << "if the peer is the first to close";
  EXPECT_EQ(lost.peer_fin.disposition, Disposition::kDrop);
  peer_has_closed_ = true;
  EXPECT_EQ(Outcome().fate, Fate::kClean);
}

class TrackedFateTest : public ::testing::Test {
 protected:
  Fate Combined() {
    return CombineTrackedFate({[&](PacketKind kind) {
                                 return dispositions_.contains(kind) ? Result(dispositions_[kind])
                                                                     : Result(Disposition::kAccept);
                               },
                               [&] { return Result(last_ack_); },
                               [&](const TraversalResult&) {
                                 return rejected_ ? std::optional(Result(Disposition::kAccept)) : std::nullopt;
                               },
                               peer_has_closed_})
        .fate;
  }

  std::map<PacketKind, Disposition> dispositions_;  // kAccept of those that are not in it
  Disposition last_ack_ = Disposition::kAccept;
  bool rejected_ = false;
  bool peer_has_closed_ = false;
};

TEST_F(TrackedFateTest, WhatRulesDropWithAnEntryDecides) {
  EXPECT_EQ(Combined(), Fate::kClean);
  last_ack_ = Disposition::kDrop;
  EXPECT_EQ(Combined(), Fate::kPeerFinDropped);
  dispositions_[PacketKind::kAck] = Disposition::kDrop;
  EXPECT_EQ(Combined(), Fate::kPeerDecides) << "the peer's FIN acknowledges as well";
  dispositions_[PacketKind::kPeerFin] = Disposition::kDrop;
  EXPECT_EQ(Combined(), Fate::kAckDropped);
  dispositions_[PacketKind::kAck] = Disposition::kAccept;
  EXPECT_EQ(Combined(), Fate::kPeerFinDropped);
  dispositions_[PacketKind::kFin] = Disposition::kReject;
  EXPECT_EQ(Combined(), Fate::kFinDropped);
}

TEST_F(TrackedFateTest, APeerThatHasClosedSendsNoSecondFin) {
  peer_has_closed_ = true;
  dispositions_[PacketKind::kPeerFin] = last_ack_ = Disposition::kDrop;
  EXPECT_EQ(Combined(), Fate::kClean);
  dispositions_[PacketKind::kAck] = Disposition::kDrop;
  EXPECT_EQ(Combined(), Fate::kAckDropped);
  rejected_ = true;
  EXPECT_EQ(Combined(), Fate::kClean) << "a reset ends it";
}

TEST_F(TrackedFateTest, WhatCannotBeKnownIsTakenForClean) {
  dispositions_[PacketKind::kFin] = dispositions_[PacketKind::kAck] = Disposition::kUnknown;
  dispositions_[PacketKind::kPeerFin] = last_ack_ = Disposition::kUnknown;
  EXPECT_EQ(Combined(), Fate::kClean);
  dispositions_[PacketKind::kAck] = Disposition::kDrop;
  EXPECT_EQ(Combined(), Fate::kClean) << "the peer's FIN may not come in, or may";
}

}  // namespace
}  // namespace finwait::diagnosis
