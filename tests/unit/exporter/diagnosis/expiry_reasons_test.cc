#include "exporter/diagnosis/expiry_reasons.h"

#include <gtest/gtest.h>

namespace finwait::diagnosis {
namespace {

ConnectionHistory Past(ExpiryReason end, std::optional<kernel::ConntrackTcpState> state,
                       std::optional<bool> keepalive) {
  ConnectionHistory history;
  history.entry_end = end;
  history.entry_state = state;
  history.keepalive = keepalive;
  return history;
}

TEST(ExpiryReasonsTest, AddsUpWhatBecameOfEachEntryAndOfTheKeepalives) {
  ExpiryReasons ends;
  ends.Add(Past(ExpiryReason::kTimedOut, kernel::ConntrackTcpState::kEstablished, false), nullptr);
  ends.Add(Past(ExpiryReason::kTimedOut, kernel::ConntrackTcpState::kCloseWait, true), nullptr);
  ends.Add(Past(ExpiryReason::kRemoved, kernel::ConntrackTcpState::kEstablished, false), nullptr);
  ends.Add(Past(ExpiryReason::kNeverSeen, std::nullopt, std::nullopt), nullptr);
  ends.Add(Past(ExpiryReason::kUnknown, kernel::ConntrackTcpState::kEstablished, false), nullptr);
  ends.Add(Past(ExpiryReason::kStillThere, kernel::ConntrackTcpState::kEstablished, false), nullptr);
  EXPECT_EQ(ends.timed_out[0], 1U);
  EXPECT_EQ(ends.timed_out[1], 1U);
  EXPECT_EQ(ends.removed, 1U);
  EXPECT_EQ(ends.unknown, 2U);
  EXPECT_EQ(ends.with_keepalive, 1U);
  EXPECT_EQ(ends.without_keepalive, 4U);
  ExpiryReasons twice = ends;
  twice += ends;
  EXPECT_EQ(twice.unknown, 4U);
  EXPECT_EQ(twice.without_keepalive, 8U);
}

TEST(ExpiryReasonsTest, ATimeoutInAStateThatIsNoLiveOneIsNotClaimed) {
  ExpiryReasons ends;
  ends.Add(Past(ExpiryReason::kTimedOut, kernel::ConntrackTcpState::kTimeWait, std::nullopt), nullptr);
  EXPECT_EQ(ends.unknown, 1U);
}

}  // namespace
}  // namespace finwait::diagnosis
