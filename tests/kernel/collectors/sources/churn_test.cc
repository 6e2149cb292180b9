// What the kernel is asked about changes while it answers: looks still end, in time, with an answer or with an error.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/tracking.h"
#include "tests/lab/connection.h"
#include "tests/lab/host.h"
#include "tests/soon.h"

namespace finwait::sources {
namespace {

using lab::Namespace;

/// One entry for each port: a datagram to loopback, where nobody listens.
void FillTable(const Namespace& where, int entries) {
  where.Run([entries] {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    for (int port = 1; port <= entries; ++port) {
      sockaddr_in to = {};
      to.sin_family = AF_INET;
      to.sin_port = htons(static_cast<std::uint16_t>(port));
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      ::sendto(socket.Get(), "x", 1, MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    }
  });
}

/// Does something over and over while a test goes on.
class Meanwhile {
 public:
  explicit Meanwhile(std::function<void()> action)
      : thread_([this, action = std::move(action)](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            action();
            ++times_;
          }
        }) {}
  int Times() const { return times_; }

 private:
  std::atomic<int> times_ = 0;
  std::jthread thread_;
};

TEST(ChurnTest, ATableFlushedDuringTheDumpIsCountedWithinItsBounds) {
  constexpr int kEntries = 10'000;
  const Namespace host;
  host.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j ACCEPT");
  FillTable(host, kEntries);
  const Meanwhile flushes([&host] {
    host.Command({"conntrack", "-F"});
    FillTable(host, kEntries);
  });
  host.Run([&] {
    ConntrackTableCollector table(lab::HostHere());
    TrackingCollector tracking(lab::HostHere());
    while (flushes.Times() < 5) {
      const auto looked = table.Collect(Soon());
      ASSERT_TRUE(looked) << looked.error().message;
      const auto& sample = static_cast<const ConntrackTableSample&>(*looked->data);
      EXPECT_LE(sample.flows[0].udp, 2U * kEntries);
      const auto joined = tracking.Collect(Soon());
      ASSERT_TRUE(joined) << joined.error().message;
    }
  });
}

TEST(ChurnTest, RulesThatChangeWhileReadAreReadOrSaidToBeTorn) {
  const Namespace host;
  host.Shell("iptables-legacy -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  const Meanwhile nft([&host] {
    host.Command(
        {"sh", "-c",
         "nft 'add table ip t; add chain ip t o { type filter hook output priority 0; }; add chain ip t d; add "
         "rule ip t o jump d; add rule ip t d ct state invalid drop'; nft delete table ip t"});
  });
  const Meanwhile legacy([&host] {
    host.Command(
        {"sh", "-c",
         "iptables-legacy -w -I OUTPUT -s 198.51.100.1 -j DROP; iptables-legacy -w -D OUTPUT -s 198.51.100.1 -j "
         "DROP"});
  });
  host.Run([&] {
    FirewallCollector collector(lab::HostHere());
    while (nft.Times() < 10 || legacy.Times() < 10) {
      const auto looked = collector.Collect(Soon());
      ASSERT_TRUE(looked) << looked.error().message;
      const auto& sample = static_cast<const FirewallSample&>(*looked->data);
      for (const Error& gap : looked->gaps) {
        EXPECT_NE(gap.message.find("changed"), std::string::npos) << gap.message;
      }
      // The rule that is always there is always seen, unless its table is said to be unread.
      const bool legacy_read = !firewall::IsUnavailable(*sample.ruleset, firewall::Backend::kLegacy, IpFamily::kIpv4);
      bool seen = false;
      for (const firewall::analysis::InvalidDropRule& drop : sample.invalid_drops) {
        seen = seen || drop.location.backend == firewall::Backend::kLegacy;
      }
      EXPECT_EQ(seen, legacy_read);
    }
  });
}

}  // namespace
}  // namespace finwait::sources
