#include "collectors/sources/conntrack_events.h"

#include <gtest/gtest.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collectors/kernel/netlink/event_socket.h"
#include "tests/lab/connection.h"
#include "tests/lab/host.h"
#include "tests/lab/kernel_version.h"

namespace finwait::sources {
namespace {

using lab::Connect;
using lab::Eventually;
using lab::Listener;
using lab::Namespace;
using lab::Wire;

// Positions in kLiveConntrackStates.
enum State { kEstablished, kCloseWait, kFinWait, kLastAck };

void Timeout(const Namespace& where, const std::string& state, int seconds) {
  where.Sysctl("net.netfilter.nf_conntrack_tcp_timeout_" + state, std::to_string(seconds));
}

// The rules ask for the state, which makes conntrack active in this namespace.
void ActivateConntrack(const Namespace& where) {
  where.Shell(
      "iptables -A OUTPUT -m conntrack --ctstate INVALID -j ACCEPT; "
      "ip6tables -A OUTPUT -m conntrack --ctstate INVALID -j ACCEPT");
}

// Reading the table makes the kernel collect at once what has expired.
bool TableEmpties(const Namespace& where) {
  return Eventually([&] {
    where.Shell("conntrack -L >/dev/null 2>&1");
    return where.Shell("conntrack -C") == "0\n";
  });
}

// A collector that has taken its first look at a namespace, and listens from then on.
class Watch {
 public:
  explicit Watch(
      const Namespace& where, const std::function<void(kernel::Host&)>& change = [](kernel::Host&) {},
      const kernel::ListeningLimits& limits = {})
      : where_(where) {
    where.Run([&] {
      kernel::Host host = lab::HostHere();
      change(host);
      collector_ = std::make_unique<ConntrackEventsCollector>(host, limits);
    });
    Collect();
  }

  Result<Collected> TryCollect() {
    Result<Collected> collected;
    where_.Run([&] { collected = collector_->Collect(Deadline::After(std::chrono::seconds(5))); });
    return collected;
  }
  kernel::ExpiryCounts Collect() {
    const auto collected = TryCollect();
    if (!collected) {
      throw std::runtime_error(collected.error().message);
    }
    return dynamic_cast<const ConntrackEventsSample&>(*collected->data).counts;
  }
  std::uint64_t Expired(State state, kernel::ExpiryScope scope) {
    return Collect().expired[state][static_cast<std::size_t>(scope)];
  }
  std::uint64_t ExpiredInAll() {
    std::uint64_t sum = 0;
    for (const auto& scopes : Collect().expired) {
      for (const std::uint64_t count : scopes) {
        sum += count;
      }
    }
    return sum;
  }

  // Whether the count gets there; the table is read meanwhile, so that what has expired is collected.
  bool Reaches(State state, kernel::ExpiryScope scope, std::uint64_t count) {
    return Eventually([&] {
      where_.Shell("conntrack -L >/dev/null 2>&1");
      return Expired(state, scope) >= count;
    });
  }

 private:
  const Namespace& where_;
  std::unique_ptr<ConntrackEventsCollector> collector_;
};

struct Ip {
  const char* name;
  const char* iptables;
  const char* local;
  const char* peer;
  const char* loopback;
};
constexpr Ip kIp4 = {"ipv4", "iptables", Wire::kLocal4, Wire::kPeer4, "127.0.0.1"};
constexpr Ip kIp6 = {"ipv6", "ip6tables", Wire::kLocal6, Wire::kPeer6, "::1"};

// On older kernels nothing is counted, and the collector says so.
#define SKIP_WHERE_DELETIONS_TELL_NO_STATE()                                          \
  if (!lab::KernelIsAtLeast(5, 11)) {                                                 \
    GTEST_SKIP() << "this kernel's deletions do not tell the TCP state (Linux 5.11)"; \
  }

class ConntrackEventsTest : public testing::TestWithParam<Ip> {
 protected:
  ConntrackEventsTest() : listener_(wire_.peer, Ip().peer, 80) { ActivateConntrack(wire_.local); }
  void SetUp() override { SKIP_WHERE_DELETIONS_TELL_NO_STATE(); }
  static const sources::Ip& Ip() { return GetParam(); }

  struct Ends {
    UniqueFd local;
    UniqueFd peer;
  };
  Ends Open() {
    Ends ends;
    ends.local = Connect(wire_.local, Ip().peer, 80);
    ends.peer = listener_.Accept();
    return ends;
  }
  // Opens a connection whose entry times out at once, and waits until that is counted: every event before it has then
  // been handled. Returns how many were counted in all.
  std::uint64_t ExpireOne(Watch& watch) {
    Timeout(wire_.local, "established", 1);
    const std::uint64_t before = watch.Expired(kEstablished, kernel::ExpiryScope::kLocal);
    const Ends ends = Open();
    EXPECT_TRUE(watch.Reaches(kEstablished, kernel::ExpiryScope::kLocal, before + 1));
    return watch.ExpiredInAll();
  }

  Wire wire_;
  Listener listener_;
};

TEST_P(ConntrackEventsTest, CountsAnEntryThatTimesOutInEachLiveState) {
  Watch watch(wire_.local);
  Timeout(wire_.local, "established", 1);
  const Ends established = Open();
  EXPECT_TRUE(watch.Reaches(kEstablished, kernel::ExpiryScope::kLocal, 1));
  Timeout(wire_.local, "established", 1000);

  Timeout(wire_.local, "close_wait", 1);
  const Ends half_closed = Open();
  ASSERT_EQ(::shutdown(half_closed.local.Get(), SHUT_WR), 0);
  EXPECT_TRUE(watch.Reaches(kCloseWait, kernel::ExpiryScope::kLocal, 1));
  Timeout(wire_.local, "close_wait", 1000);

  // A FIN that is neither answered nor sent again: conntrack would take a second one for the other end's (LAST_ACK).
  Timeout(wire_.local, "fin_wait", 1);
  Ends unanswered = Open();
  const std::string drop_fins = " INPUT -p tcp --tcp-flags FIN FIN -j DROP";
  wire_.peer.Shell(std::string(Ip().iptables) + " -A" + drop_fins);
  ASSERT_EQ(::shutdown(unanswered.local.Get(), SHUT_WR), 0);
  const int on = 1;  // a socket under repair closes without a word
  ASSERT_EQ(::setsockopt(unanswered.local.Get(), IPPROTO_TCP, TCP_REPAIR, &on, sizeof on), 0);
  unanswered.local.Reset();
  EXPECT_TRUE(watch.Reaches(kFinWait, kernel::ExpiryScope::kLocal, 1));
  Timeout(wire_.local, "fin_wait", 1000);
  wire_.peer.Shell(std::string(Ip().iptables) + " -D" + drop_fins);

  // Both have closed, and the last FIN is not answered: conntrack sees it come in, this end does not.
  Timeout(wire_.local, "last_ack", 1);
  Ends closed = Open();
  ASSERT_EQ(::shutdown(closed.local.Get(), SHUT_WR), 0);
  ASSERT_TRUE(Eventually([&] {
    return wire_.local.Shell(std::string("conntrack -L -f ") + Ip().name + " 2>/dev/null").find("CLOSE_WAIT") !=
           std::string::npos;
  }));
  wire_.local.Shell(std::string(Ip().iptables) + " -A" + drop_fins);
  closed.peer.Reset();
  EXPECT_TRUE(watch.Reaches(kLastAck, kernel::ExpiryScope::kLocal, 1));

  EXPECT_EQ(watch.ExpiredInAll(), 4U);
  EXPECT_EQ(watch.Collect().losses, 0U);
}

TEST_P(ConntrackEventsTest, DoesNotCountADeletionOrAFlush) {
  Watch watch(wire_.local);
  const Ends deleted = Open();
  wire_.local.Shell(std::string("conntrack -D -p tcp -f ") + Ip().name + " 2>/dev/null");
  const Ends flushed = Open();
  wire_.local.Shell("conntrack -F 2>/dev/null");
  EXPECT_EQ(ExpireOne(watch), 1U);
}

TEST_P(ConntrackEventsTest, DoesNotCountConnectionsThatEndedOrNeverBegan) {
  Watch watch(wire_.local);
  for (const char* state : {"time_wait", "close", "syn_sent", "fin_wait", "last_ack"}) {
    Timeout(wire_.local, state, 1);
  }
  wire_.local.Sysctl("net.netfilter.nf_conntrack_udp_timeout", "1");
  {
    Ends closed = Open();
    closed.local.Reset();
    const Ends reset = Open();
    const linger at_once = {1, 0};
    ASSERT_EQ(::setsockopt(reset.peer.Get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  }
  wire_.peer.Shell(std::string(Ip().iptables) + " -A INPUT -p tcp --dport 99 -j DROP");
  wire_.local.Shell(std::string("timeout 0.2 bash -c 'echo > /dev/tcp/") + Ip().peer + "/99' 2>/dev/null || true");
  wire_.local.Shell(std::string("bash -c 'echo x > /dev/udp/") + Ip().peer + "/9'");
  EXPECT_TRUE(TableEmpties(wire_.local));
  EXPECT_EQ(ExpireOne(watch), 1U);
}

TEST_P(ConntrackEventsTest, AConnectionOverLoopbackIsLocal) {
  Watch watch(wire_.local);
  Timeout(wire_.local, "established", 1);
  const Listener listener(wire_.local, Ip().loopback, 80);
  const UniqueFd client = Connect(wire_.local, Ip().loopback, 80);
  const UniqueFd server = listener.Accept();
  EXPECT_TRUE(watch.Reaches(kEstablished, kernel::ExpiryScope::kLocal, 1));
  EXPECT_EQ(watch.ExpiredInAll(), 1U);
}

TEST_P(ConntrackEventsTest, AConnectionThatThePeerOpenedIsLocal) {
  Watch watch(wire_.local);
  Timeout(wire_.local, "established", 1);
  const Listener listener(wire_.local, Ip().local, 80);
  const UniqueFd client = Connect(wire_.peer, Ip().local, 80);
  const UniqueFd server = listener.Accept();
  EXPECT_TRUE(watch.Reaches(kEstablished, kernel::ExpiryScope::kLocal, 1));
}

TEST_P(ConntrackEventsTest, AnAddressCountsFromWhenItIsAddedAndOnAfterItIsRemoved) {
  Watch watch(wire_.local);
  const bool ipv4 = std::string(Ip().name) == "ipv4";
  const std::string added = ipv4 ? "192.0.2.77" : "2001:db8::77";
  const std::string address = added + (ipv4 ? "/24" : "/32") + " dev veth0" + (ipv4 ? "" : " nodad");
  wire_.local.Shell("ip address add " + address);
  Timeout(wire_.local, "established", 1);
  const UniqueFd client = Connect(wire_.local, Ip().peer, 80, added);
  const UniqueFd server = listener_.Accept();
  wire_.local.Shell("ip address del " + address);
  EXPECT_TRUE(watch.Reaches(kEstablished, kernel::ExpiryScope::kLocal, 1));
  EXPECT_EQ(watch.ExpiredInAll(), 1U);
}

TEST_P(ConntrackEventsTest, HearsOnlyItsOwnNamespace) {
  ActivateConntrack(wire_.peer);
  Watch local(wire_.local);
  Watch peer(wire_.peer);
  Timeout(wire_.peer, "established", 1);
  const Ends ends = Open();
  EXPECT_TRUE(peer.Reaches(kEstablished, kernel::ExpiryScope::kLocal, 1));
  EXPECT_EQ(ExpireOne(local), 1U);
}

TEST_P(ConntrackEventsTest, UnderEvents1AnEntryOlderThanTheListenerIsCounted) {
  wire_.local.Sysctl("net.netfilter.nf_conntrack_events", "1");
  Timeout(wire_.local, "established", 1);
  const Ends older = Open();
  Watch watch(wire_.local);
  EXPECT_TRUE(watch.Reaches(kEstablished, kernel::ExpiryScope::kLocal, 1));
}

// The kernel asks whether anybody listens, in any namespace: another test, or an exporter on this machine, is enough
// for it to tell of entries that are older than our listener. So the case is made again until nobody else does.
TEST_P(ConntrackEventsTest, UnderEvents2AnEntryOlderThanEveryListenerIsNotCounted) {
  Timeout(wire_.local, "established", 1);
  const bool missed = Eventually(
      [&] {
        const Ends older = Open();
        Watch watch(wire_.local);
        // On a starved machine an end may close before its entry has timed out: that one stays for two minutes.
        return TableEmpties(wire_.local) && ExpireOne(watch) == 1;
      },
      20);
  if (!missed) {
    GTEST_SKIP() << "somebody else on this machine listens to conntrack all the time";
  }
}

INSTANTIATE_TEST_SUITE_P(BothFamilies, ConntrackEventsTest, testing::Values(kIp4, kIp6),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(ConntrackEventsSwitchTest, IsUnsupportedWhileEventsAreOff) {
  const Wire wire;
  wire.local.Sysctl("net.netfilter.nf_conntrack_events", "0");
  wire.local.Run([&] {
    ConntrackEventsCollector collector(lab::HostHere());
    const auto off = collector.Collect(Deadline::After(std::chrono::seconds(5)));
    ASSERT_FALSE(off.has_value());
    EXPECT_EQ(off.error().reason, FailureReason::kUnsupported);
    EXPECT_NE(off.error().message.find("nf_conntrack_events=0"), std::string::npos) << off.error().message;
    wire.local.Sysctl("net.netfilter.nf_conntrack_events", "1");
    EXPECT_TRUE(collector.Collect(Deadline::After(std::chrono::seconds(5))).has_value());
  });
}

TEST(ConntrackEventsSwitchTest, WithoutTheCapabilitySaysWhichOneIsMissing) {
  const Wire wire;
  wire.local.Run([&] {
    // Only this thread's credentials change: the raw system call, not glibc's, which tells all threads.
    ASSERT_EQ(::syscall(SYS_setresuid, 65534, 65534, 65534), 0);
    ConntrackEventsCollector collector(lab::HostHere());
    const auto collected = collector.Collect(Deadline::After(std::chrono::seconds(5)));
    ASSERT_FALSE(collected.has_value());
    EXPECT_EQ(collected.error().reason, FailureReason::kPermission);
    EXPECT_EQ(collected.error().message,
              "listen to conntrack events: subscribe to netlink group 3: Operation not permitted; reading conntrack "
              "needs CAP_NET_ADMIN: run as root, or give the service AmbientCapabilities=CAP_NET_ADMIN");
  });
}

TEST(ConntrackEventsSwitchTest, CountsAnOverrunAndGoesOn) {
  SKIP_WHERE_DELETIONS_TELL_NO_STATE();
  const Wire wire;
  ActivateConntrack(wire.local);
  const Listener listener(wire.peer, Wire::kPeer4, 80);
  Watch watch(wire.local, [](kernel::Host& host) {
    host.open_events = [open = host.open_events](kernel::netlink::Subscription subscription) {
      subscription.receive_buffer_bytes = 1;  // the kernel's least: room for a few events
      return open(subscription);
    };
  });
  Timeout(wire.local, "established", 1);
  constexpr std::uint64_t kConnections = 400;
  const std::vector<UniqueFd> held = lab::ConnectMany(kConnections, wire.local, Wire::kPeer4, 80, listener);
  EXPECT_TRUE(TableEmpties(wire.local));
  EXPECT_TRUE(Eventually([&] { return watch.Collect().losses > 0; }));
  const std::uint64_t heard = watch.ExpiredInAll();
  EXPECT_LT(heard, kConnections);
  const UniqueFd client = Connect(wire.local, Wire::kPeer4, 80);
  EXPECT_TRUE(watch.Reaches(kEstablished, kernel::ExpiryScope::kLocal, heard + 1)) << "it goes on listening";
}

// Whether a socket of this namespace is subscribed to conntrack's DESTROY events.
bool IsSubscribed(const Namespace& where) {
  const std::string netlink_netfilter = std::to_string(NETLINK_NETFILTER);
  const std::string destroy = "0000000" + std::to_string(1U << (NFNLGRP_CONNTRACK_DESTROY - 1));
  return where.Shell("awk '$2 == " + netlink_netfilter + " && $4 == \"" + destroy +
                     "\"' /proc/thread-self/net/netlink") != "";
}

// Real connections, a tiny budget: what takes 6 500 new entries a second with the one that ships.
TEST(ConntrackEventsBudgetTest, PausesWhereTooManyEntriesAreMadeThenListensAgainAndCounts) {
  SKIP_WHERE_DELETIONS_TELL_NO_STATE();
  const Wire wire;
  ActivateConntrack(wire.local);
  const Listener listener(wire.peer, Wire::kPeer4, 80);
  kernel::ListeningLimits limits;
  limits.core_share = 5e-4;  // pays for 160 entries a second
  limits.reserve = std::chrono::seconds(2);
  limits.check_interval = std::chrono::milliseconds(50);
  Watch watch(
      wire.local, [](kernel::Host&) {}, limits);
  EXPECT_TRUE(IsSubscribed(wire.local));
  EXPECT_EQ(watch.Collect().paused.count(), 0);

  ASSERT_TRUE(Eventually([&] {
    wire.local.Run([&] {
      for (int i = 0; i < 100; ++i) {
        Connect(wire.local, Wire::kPeer4, 80);
        listener.Accept();
      }
    });
    return watch.Collect().losses > 0;
  })) << "it never paused";
  EXPECT_TRUE(Eventually([&] { return !IsSubscribed(wire.local); })) << "the kernel goes on making messages for it";
  EXPECT_TRUE(Eventually([&] { return watch.Collect().paused.count() > 0; }));

  ASSERT_TRUE(Eventually([&] { return IsSubscribed(wire.local); })) << "it never listened again";
  const kernel::ExpiryCounts after = watch.Collect();
  EXPECT_GE(after.paused, limits.reserve / 4);
  Timeout(wire.local, "established", 1);
  const UniqueFd client = Connect(wire.local, Wire::kPeer4, 80);
  const UniqueFd server = listener.Accept();
  EXPECT_TRUE(watch.Reaches(kEstablished, kernel::ExpiryScope::kLocal, 1));
  EXPECT_EQ(watch.Collect().losses, after.losses) << "one connection is nothing that it has to pause for";
}

TEST(ConntrackEventsBudgetTest, LosesNothingToItsLooksAtTheMakingOfEntries) {
  SKIP_WHERE_DELETIONS_TELL_NO_STATE();
  const Wire wire;
  ActivateConntrack(wire.local);
  const Listener listener(wire.peer, Wire::kPeer4, 80);
  kernel::ListeningLimits limits;
  limits.check_interval = std::chrono::milliseconds(5);
  limits.check_length = std::chrono::milliseconds(2);
  Watch watch(
      wire.local, [](kernel::Host&) {}, limits);
  Timeout(wire.local, "established", 1);
  constexpr std::uint64_t kConnections = 400;
  const std::vector<UniqueFd> held = lab::ConnectMany(kConnections, wire.local, Wire::kPeer4, 80, listener);
  EXPECT_TRUE(watch.Reaches(kEstablished, kernel::ExpiryScope::kLocal, kConnections));
  EXPECT_EQ(watch.ExpiredInAll(), kConnections);
  EXPECT_EQ(watch.Collect().losses, 0U);
  EXPECT_EQ(watch.Collect().paused.count(), 0);
}

}  // namespace
}  // namespace finwait::sources
