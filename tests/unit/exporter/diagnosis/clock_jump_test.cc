// The clock on the wall may step back or ahead at any time (NTP, an administrator, a virtual machine that was asleep).
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "collectors/sources/firewall.h"
#include "collectors/sources/sockets.h"
#include "collectors/sources/tracking.h"
#include "exporter/diagnosis/diagnostician.h"

namespace finwait::diagnosis {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr sources::CollectorInfo kSockets = {.name = "sockets"};
constexpr sources::CollectorInfo kTracking = {.name = "tracking"};
constexpr sources::CollectorInfo kFirewall = {.name = "firewall"};

// A namespace whose OUTPUT policy drops everything.
std::shared_ptr<const sources::FirewallSample> DropsOutput() {
  auto chain = std::make_shared<firewall::Chain>();
  chain->name = "OUTPUT";
  chain->base.emplace();
  chain->base->hook = firewall::Hook::kOutput;
  chain->base->policy_drop = true;
  firewall::Table table;
  table.name = "filter";
  table.chains[chain->name] = chain;
  auto ruleset = std::make_shared<firewall::Ruleset>();
  ruleset->tables.push_back(std::move(table));
  auto sample = std::make_shared<sources::FirewallSample>();
  sample->ruleset = std::move(ruleset);
  return sample;
}

// A socket whose FIN never left, and that has no entry.
kernel::TcpSocket Stuck() {
  kernel::TcpSocket socket;
  socket.cookie = 1;
  socket.local = {*IpAddress::Parse("192.0.2.1"), 40000};
  socket.peer = {*IpAddress::Parse("192.0.2.2"), 443};
  socket.state = kernel::TcpState::kFinWait1;
  socket.entry.tracking = kernel::Tracking::kUntracked;
  socket.orphan = true;
  socket.timer = kernel::SocketTimer::kProbe;
  socket.tries = 3;
  socket.unsent = 1;
  socket.send_window = 65535;
  return socket;
}

class ClockJumpTest : public testing::Test {
 protected:
  /// One look at `steady` seconds of the monotonic clock, whatever the other one shows.
  std::shared_ptr<const Diagnosis> Collect(int steady, scheduling::WallClock::time_point wall, bool stuck = true) {
    const SteadyClock::time_point now = SteadyClock::time_point(hours(1)) + seconds(steady);
    auto sockets = std::make_shared<sources::SocketsSample>();
    auto tracking = std::make_shared<sources::TrackingSample>();
    if (stuck) {
      sockets->closing.push_back(Stuck());
      tracking->sockets.Add(Stuck());
    }
    auto snapshot = std::make_shared<scheduling::Snapshot>();
    for (const auto& [info, data] :
         {std::pair<const sources::CollectorInfo*, std::shared_ptr<const sources::SampleData>>{&kSockets, sockets},
          {&kTracking, tracking},
          {&kFirewall, firewall_}}) {
      scheduling::CollectorStatus status;
      status.info = info;
      status.data = data;
      status.taken_at = now;
      status.last_success = wall;
      status.collected = true;
      status.interval = seconds(5);
      snapshot->collectors.push_back(std::move(status));
    }
    return diagnostician_.Diagnose(std::move(snapshot), now, wall);
  }

  static std::uint64_t Counted(const Diagnosis& diagnosis) {
    return diagnosis.stuck->total[0][static_cast<std::size_t>(Cause::kLocalDrop)];
  }
  static double Age(const Diagnosis& diagnosis) { return diagnosis.stuck->oldest_seconds[0]; }

  const scheduling::WallClock::time_point noon_ = scheduling::WallClock::time_point(hours(24 * 365 * 50));
  std::shared_ptr<const sources::FirewallSample> firewall_ = DropsOutput();
  Diagnostician diagnostician_;
};

TEST_F(ClockJumpTest, AgesAndCountsFollowTheClockThatNobodySets) {
  Collect(0, noon_);
  EXPECT_EQ(Counted(*Collect(5, noon_ + seconds(5))), 1U);
  const auto back = Collect(10, noon_ - hours(24 * 365));
  EXPECT_EQ(Counted(*back), 1U);
  EXPECT_DOUBLE_EQ(Age(*back), 10);
  EXPECT_EQ(back->risk.stage, Stage::kFailing);
  const auto ahead = Collect(15, noon_ + hours(24 * 365));
  EXPECT_EQ(Counted(*ahead), 1U);
  EXPECT_DOUBLE_EQ(Age(*ahead), 15);
  EXPECT_EQ(ahead->risk.stage, Stage::kFailing);
}

TEST_F(ClockJumpTest, EvidenceHoldsFiveMinutesOfTheClockThatNobodySets) {
  Collect(0, noon_);
  Collect(5, noon_);
  EXPECT_EQ(Collect(5 + 299, noon_ + hours(24), false)->risk.stage, Stage::kFailing)
      << "a day ahead ends nothing early";
  EXPECT_NE(Collect(5 + 301, noon_ - hours(24), false)->risk.stage, Stage::kFailing) << "a day back prolongs nothing";
}

}  // namespace
}  // namespace finwait::diagnosis
