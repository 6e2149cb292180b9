#include "exporter/diagnosis/close_outcome.h"

#include <gtest/gtest.h>

namespace finwait::diagnosis {
namespace {

using firewall::eval::Disposition;
using firewall::eval::PacketKind;

TEST(DecisiveLossTest, IsOfThePacketThatTheFateHangsOn) {
  CloseOutcome outcome;
  outcome.fate = Fate::kFinDropped;
  EXPECT_EQ(DecisiveLossOf(outcome)->result, &outcome.fin);
  outcome.fate = Fate::kAckDropped;
  EXPECT_EQ(DecisiveLossOf(outcome)->result, &outcome.ack);
  outcome.fate = Fate::kPeerFinDropped;
  EXPECT_EQ(DecisiveLossOf(outcome)->result, &outcome.last_ack);
  EXPECT_EQ(DecisiveLossOf(outcome)->packet, PacketKind::kData);
  outcome.peer_fin.decision = Disposition::kReject;
  EXPECT_EQ(DecisiveLossOf(outcome)->result, &outcome.peer_fin);
  EXPECT_EQ(DecisiveLossOf(outcome)->packet, PacketKind::kPeerFin);
}

TEST(DecisiveLossTest, IsThePeersResetWhereItsAckIsLetIn) {
  CloseOutcome outcome;
  outcome.fate = Fate::kPeerDecides;
  outcome.ack.decision = Disposition::kAccept;
  outcome.peer_reset.decision = Disposition::kDrop;
  EXPECT_EQ(DecisiveLossOf(outcome)->result, &outcome.peer_reset);
  outcome.ack.decision = Disposition::kDrop;
  EXPECT_EQ(DecisiveLossOf(outcome)->result, &outcome.ack);
}

TEST(DecisiveLossTest, IsNothingWhereNoPacketIsDropped) {
  CloseOutcome outcome;
  for (const Fate fate : {Fate::kClean, Fate::kNatLost, Fate::kUnknown}) {
    outcome.fate = fate;
    EXPECT_FALSE(DecisiveLossOf(outcome).has_value()) << Name(fate);
  }
}

}  // namespace
}  // namespace finwait::diagnosis
