#include "exporter/diagnosis/close_outcome.h"

#include <gtest/gtest.h>

namespace finwait::diagnosis {
namespace {

using firewall::eval::Disposition;
using firewall::eval::PacketKind;

TEST(DecisiveDropTest, IsOfThePacketThatTheFateHangsOn) {
  CloseOutcome outcome;
  outcome.fate = Fate::kFinDropped;
  EXPECT_EQ(DecisiveDropOf(outcome)->result, &outcome.fin);
  outcome.fate = Fate::kAckDropped;
  EXPECT_EQ(DecisiveDropOf(outcome)->result, &outcome.ack);
  outcome.fate = Fate::kPeerFinDropped;
  EXPECT_EQ(DecisiveDropOf(outcome)->result, &outcome.last_ack);
  EXPECT_EQ(DecisiveDropOf(outcome)->packet, PacketKind::kData);
  outcome.peer_fin.disposition = Disposition::kReject;
  EXPECT_EQ(DecisiveDropOf(outcome)->result, &outcome.peer_fin);
  EXPECT_EQ(DecisiveDropOf(outcome)->packet, PacketKind::kPeerFin);
}

TEST(DecisiveDropTest, IsThePeersResetWhereItsAckIsLetIn) {
  CloseOutcome outcome;
  outcome.fate = Fate::kPeerDecides;
  outcome.ack.disposition = Disposition::kAccept;
  outcome.peer_reset.disposition = Disposition::kDrop;
  EXPECT_EQ(DecisiveDropOf(outcome)->result, &outcome.peer_reset);
  outcome.ack.disposition = Disposition::kDrop;
  EXPECT_EQ(DecisiveDropOf(outcome)->result, &outcome.ack);
}

TEST(DecisiveDropTest, IsNothingWhereNoPacketIsDropped) {
  CloseOutcome outcome;
  for (const Fate fate : {Fate::kClean, Fate::kNatLost, Fate::kUnknown}) {
    outcome.fate = fate;
    EXPECT_FALSE(DecisiveDropOf(outcome).has_value()) << Name(fate);
  }
}

}  // namespace
}  // namespace finwait::diagnosis
