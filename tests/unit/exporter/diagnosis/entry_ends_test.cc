#include "exporter/diagnosis/entry_ends.h"

#include <gtest/gtest.h>

namespace finwait {
namespace {

ConnectionPast Past(EntryEnd end, std::optional<ConntrackTcpState> state, std::optional<bool> keepalive) {
  ConnectionPast past;
  past.entry_end = end;
  past.entry_state = state;
  past.keepalive = keepalive;
  return past;
}

TEST(EntryEndsTest, AddsUpWhatBecameOfEachEntryAndOfTheKeepalives) {
  EntryEnds ends;
  ends.Add(Past(EntryEnd::kTimedOut, ConntrackTcpState::kEstablished, false));
  ends.Add(Past(EntryEnd::kTimedOut, ConntrackTcpState::kCloseWait, true));
  ends.Add(Past(EntryEnd::kRemoved, ConntrackTcpState::kEstablished, false));
  ends.Add(Past(EntryEnd::kNeverSeen, std::nullopt, std::nullopt));
  ends.Add(Past(EntryEnd::kUnknown, ConntrackTcpState::kEstablished, false));
  ends.Add(Past(EntryEnd::kStillThere, ConntrackTcpState::kEstablished, false));
  EXPECT_EQ(ends.timed_out[0], 1U);
  EXPECT_EQ(ends.timed_out[1], 1U);
  EXPECT_EQ(ends.removed, 1U);
  EXPECT_EQ(ends.unknown, 2U);
  EXPECT_EQ(ends.with_keepalive, 1U);
  EXPECT_EQ(ends.without_keepalive, 4U);
  EntryEnds twice = ends;
  twice += ends;
  EXPECT_EQ(twice.unknown, 4U);
  EXPECT_EQ(twice.without_keepalive, 8U);
}

TEST(EntryEndsTest, ATimeoutInAStateThatIsNoLiveOneIsNotClaimed) {
  EntryEnds ends;
  ends.Add(Past(EntryEnd::kTimedOut, ConntrackTcpState::kTimeWait, std::nullopt));
  EXPECT_EQ(ends.unknown, 1U);
}

}  // namespace
}  // namespace finwait
