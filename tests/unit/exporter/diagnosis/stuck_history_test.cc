#include "exporter/diagnosis/stuck_history.h"

#include <gtest/gtest.h>

#include <vector>

namespace finwait::diagnosis {
namespace {

using std::chrono::seconds;

kernel::TcpSocket Socket(std::uint64_t cookie, kernel::TcpState state = kernel::TcpState::kFinWait1) {
  kernel::TcpSocket socket;
  socket.cookie = cookie;
  socket.state = state;
  socket.tries = 3;
  return socket;
}

class StuckHistoryTest : public testing::Test {
 protected:
  // One look that lists `sockets`, all of them stuck for `cause`.
  void Collect(const std::vector<kernel::TcpSocket>& sockets, std::optional<Cause> cause) {
    std::vector<StuckCandidate> evaluated;
    for (const kernel::TcpSocket& socket : sockets) {
      evaluated.push_back({&socket, {cause, nullptr}});
    }
    now_ += seconds(5);
    history_.Update(sockets, evaluated, now_);
  }
  std::optional<Cause> CauseOfLastTry(const kernel::TcpSocket& socket) const {
    const auto finding = history_.FindingOfLastTry(socket);
    return finding ? finding->cause : std::nullopt;
  }
  std::uint64_t Counted(Cause cause, std::size_t state = 0) const {
    return history_.Counted()[state][static_cast<std::size_t>(cause)];
  }

  StuckHistory history_;
  SteadyClock::time_point now_;
};

TEST_F(StuckHistoryTest, CountsASocketOnceHoweverOftenItIsSeen) {
  for (int i = 0; i < 10; ++i) {
    Collect({Socket(1)}, Cause::kLocalDrop);
  }
  EXPECT_EQ(Counted(Cause::kLocalDrop), 1U);
}

TEST_F(StuckHistoryTest, WaitsForASecondSampleToSettleACause) {
  Collect({Socket(1)}, Cause::kLocalError);
  EXPECT_EQ(Counted(Cause::kLocalError), 0U);
  Collect({Socket(1)}, Cause::kLocalDrop);
  EXPECT_EQ(Counted(Cause::kLocalError), 0U);
  EXPECT_EQ(Counted(Cause::kLocalDrop), 0U);
  Collect({Socket(1)}, Cause::kLocalDrop);
  EXPECT_EQ(Counted(Cause::kLocalDrop), 1U);
  Collect({Socket(1)}, Cause::kLocalError);
  Collect({Socket(1)}, Cause::kLocalError);
  EXPECT_EQ(Counted(Cause::kLocalError), 0U) << "counted once, under its first settled cause";
}

TEST_F(StuckHistoryTest, KeepsTheSettledCauseUntilTheSocketTriesAgain) {
  kernel::TcpSocket socket = Socket(1);
  EXPECT_FALSE(CauseOfLastTry(socket)) << "never seen";
  Collect({socket}, Cause::kLocalDrop);
  EXPECT_FALSE(CauseOfLastTry(socket)) << "not settled by one look";
  Collect({socket}, Cause::kLocalDrop);
  EXPECT_EQ(CauseOfLastTry(socket), Cause::kLocalDrop);
  Collect({socket}, std::nullopt);
  EXPECT_EQ(CauseOfLastTry(socket), Cause::kLocalDrop) << "a blind look";
  ++socket.tries;
  EXPECT_FALSE(CauseOfLastTry(socket));
  Collect({socket}, Cause::kLocalError);
  EXPECT_FALSE(CauseOfLastTry(socket)) << "what this host does not do can change without a try";
}

TEST_F(StuckHistoryTest, CountsASocketThatOnlyOneSampleShowed) {
  Collect({Socket(1)}, Cause::kLocalDrop);
  Collect({}, std::nullopt);
  EXPECT_EQ(Counted(Cause::kLocalDrop), 1U);
}

TEST_F(StuckHistoryTest, DoesNotCountWhatItCannotTellUntilItCan) {
  Collect({Socket(1)}, std::nullopt);
  Collect({Socket(1)}, std::nullopt);
  Collect({Socket(1)}, Cause::kLocalDrop);
  EXPECT_EQ(Counted(Cause::kLocalDrop), 0U);
  Collect({Socket(1)}, std::nullopt);
  Collect({Socket(1)}, Cause::kLocalDrop);
  EXPECT_EQ(Counted(Cause::kLocalDrop), 1U);
}

TEST_F(StuckHistoryTest, CountsByTheStateTheSocketIsIn) {
  Collect({Socket(1, kernel::TcpState::kLastAck), Socket(2)}, Cause::kLocalDrop);
  Collect({Socket(1, kernel::TcpState::kLastAck), Socket(2)}, Cause::kLocalDrop);
  EXPECT_EQ(Counted(Cause::kLocalDrop, 0), 1U);
  EXPECT_EQ(Counted(Cause::kLocalDrop, 2), 1U);
}

TEST_F(StuckHistoryTest, ATcpSocketThatIsNotStuckIsRememberedForItsAgeOnly) {
  const std::vector<kernel::TcpSocket> sockets = {Socket(1)};
  now_ += seconds(5);
  history_.Update(sockets, {}, now_);
  EXPECT_EQ(history_.Age(sockets[0], now_ + seconds(30)), seconds(30));
  history_.Update({}, {}, now_ + seconds(35));
  for (const auto& by_cause : history_.Counted()) {
    for (const std::uint64_t counted : by_cause) {
      EXPECT_EQ(counted, 0U);
    }
  }
}

TEST_F(StuckHistoryTest, ASocketFoundStuckAtTheStartIsAtLeastAsOldAsItsTries) {
  kernel::TcpSocket old = Socket(1);
  old.minimum_age = std::chrono::milliseconds(50'000);
  Collect({old}, Cause::kLocalDrop);
  EXPECT_EQ(history_.Age(old, now_), seconds(50));
  EXPECT_EQ(history_.Age(old, now_ + seconds(60)), seconds(60));
}

}  // namespace
}  // namespace finwait::diagnosis
