#include "collectors/sources/tracking.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <map>
#include <numeric>
#include <set>

#include "collectors/kernel/socket_pass.h"
#include "tests/bench/load/conntrack_fill.h"
#include "tests/lab/connection.h"
#include "tests/lab/host.h"

namespace finwait::sources {
namespace {

using lab::Connect;
using lab::Listener;
using lab::Wire;

TrackingSample CollectTracking(const lab::Namespace& where) {
  return lab::Collect<TrackingSample, TrackingCollector>(where);
}

// The unfinished sockets with what one strategy alone finds of their entries.
kernel::SocketTable Joined(kernel::EntryJoin::Strategy strategy, const kernel::Host& host) {
  const Deadline deadline = Deadline::After(std::chrono::seconds(10));
  kernel::SocketTable sockets;
  EXPECT_TRUE(ReadSockets(host, kernel::kAllSocketStates, 0, deadline, kernel::Into(sockets)).has_value());
  if (strategy == kernel::EntryJoin::Strategy::kStream) {
    EXPECT_TRUE(StreamEntries(host, deadline, sockets).has_value());
  } else {
    std::vector<std::size_t> all(sockets.Size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    EXPECT_TRUE(AskForEntries(host, all, {}, deadline, sockets).has_value());
  }
  return sockets;
}

// By local end, which of the unfinished sockets a strategy finds tracked.
std::map<std::string, kernel::Tracking> By(kernel::EntryJoin::Strategy strategy, const lab::Namespace& where) {
  std::map<std::string, kernel::Tracking> found;
  where.Run([&] {
    const kernel::Host host = lab::HostHere();
    for (const kernel::TcpSocket& socket : Joined(strategy, host)) {
      found[socket.local.Text()] = socket.entry.tracking;
    }
  });
  return found;
}

void TrackConnections(const lab::Namespace& where) {
  where.Shell(
      "iptables -A OUTPUT -m conntrack --ctstate INVALID -j ACCEPT; "
      "ip6tables -A OUTPUT -m conntrack --ctstate INVALID -j ACCEPT");
}

TEST(TrackingTest, FindsExactlyTheSocketsWhoseEntryIsGoneEitherWay) {
  const Wire wire;
  TrackConnections(wire.local);
  const Listener four(wire.peer, Wire::kPeer4, 80);
  const Listener six(wire.peer, Wire::kPeer6, 80);
  const Listener inbound(wire.local, "::", 81);  // IPv4 clients arrive IPv4-mapped
  std::vector<UniqueFd> held;
  std::set<std::string> removed;
  for (int i = 0; i < 60; ++i) {
    UniqueFd out4 = Connect(wire.local, Wire::kPeer4, 80);
    held.push_back(four.Accept());
    UniqueFd out6 = Connect(wire.local, Wire::kPeer6, 80);
    held.push_back(six.Accept());
    UniqueFd in4 = Connect(wire.peer, Wire::kLocal4, 81);
    UniqueFd in6 = Connect(wire.peer, Wire::kLocal6, 81);
    held.push_back(inbound.Accept());
    held.push_back(inbound.Accept());
    if (i % 3 == 0) {
      std::string script;
      for (const UniqueFd* one : {&out4, &out6}) {
        const Endpoint local = *Endpoint::Parse(lab::LocalEndpoint(*one));
        removed.insert(local.Text());
        script += "conntrack -D -f " + std::string(Name(local.address.Family())) + " -p tcp --sport " +
                  std::to_string(local.port) + " --dport 80 >/dev/null 2>&1;";
      }
      for (const UniqueFd* one : {&in4, &in6}) {
        const Endpoint peer = *Endpoint::Parse(lab::LocalEndpoint(*one));
        script += "conntrack -D -f " + std::string(Name(peer.address.Family())) + " -p tcp --sport " +
                  std::to_string(peer.port) + " --dport 81 >/dev/null 2>&1;";
      }
      wire.local.Shell(script);
    }
    held.push_back(std::move(out4));
    held.push_back(std::move(out6));
    held.push_back(std::move(in4));
    held.push_back(std::move(in6));
  }
  for (const auto strategy : {kernel::EntryJoin::Strategy::kAsk, kernel::EntryJoin::Strategy::kStream}) {
    std::size_t untracked_inbound = 0;
    std::set<std::string> untracked_outbound;
    std::size_t sockets = 0;
    wire.local.Run([&] {
      const kernel::Host host = lab::HostHere();
      const kernel::SocketTable joined = Joined(strategy, host);
      sockets = joined.Size();
      for (const kernel::TcpSocket& socket : joined) {
        if (socket.entry.tracking != kernel::Tracking::kTracked) {
          if (socket.local.port == 81) {
            ++untracked_inbound;
          } else {
            untracked_outbound.insert(socket.local.Text());
          }
        } else {
          EXPECT_EQ(socket.entry.state, kernel::ConntrackTcpState::kEstablished);
          EXPECT_GT(socket.entry.remaining_seconds, 1000U);
        }
      }
    });
    EXPECT_EQ(sockets, 240U);
    EXPECT_EQ(untracked_outbound, removed);
    EXPECT_EQ(untracked_inbound, 40U);
  }
}

TEST(TrackingTest, ATranslatedConnectionIsTrackedAndMarkedAsNat) {
  const Wire wire;
  wire.local.Shell(
      "iptables -t nat -A OUTPUT -d 198.51.100.1 -j DNAT --to-destination 192.0.2.2; "
      "ip address add 192.0.2.9/24 dev veth0; "
      "iptables -t nat -A POSTROUTING -p tcp --dport 82 -j SNAT --to-source 192.0.2.9; "
      "ip route add 198.51.100.0/24 via 192.0.2.2");
  const Listener listener(wire.peer, Wire::kPeer4, 80);
  const Listener other(wire.peer, Wire::kPeer4, 82);
  const UniqueFd to_service = Connect(wire.local, "198.51.100.1", 80);
  const UniqueFd masked = Connect(wire.local, Wire::kPeer4, 82);
  const UniqueFd server = listener.Accept();
  const UniqueFd server2 = other.Accept();
  const TrackingSample sample = CollectTracking(wire.local);
  ASSERT_EQ(sample.sockets.Size(), 2U);
  for (const kernel::TcpSocket& socket : sample.sockets) {
    EXPECT_EQ(socket.entry.tracking, kernel::Tracking::kTracked) << socket.peer.Text();
    EXPECT_EQ(socket.entry.destination_nat, socket.peer.port == 80);
    EXPECT_EQ(socket.entry.source_nat, socket.peer.port == 82);
  }
}

TEST(TrackingTest, AsksForAFewSocketsAndStreamsTheTableForMany) {
  const Wire wire;
  TrackConnections(wire.local);
  const Listener listener(wire.peer, Wire::kPeer4, 80);
  std::vector<UniqueFd> held = lab::ConnectMany(80, wire.local, Wire::kPeer4, 80, listener);
  EXPECT_EQ(CollectTracking(wire.local).strategy, kernel::EntryJoin::Strategy::kStream)
      << "an entry costs less than a question";
  held.resize(2);  // the others' entries stay behind in TIME_WAIT
  ASSERT_GE(std::stoi(wire.local.Shell("conntrack -C")), 80);
  const TrackingSample few = CollectTracking(wire.local);
  EXPECT_EQ(few.strategy, kernel::EntryJoin::Strategy::kAsk);
  ASSERT_FALSE(few.sockets.IsEmpty());
  for (const kernel::TcpSocket& socket : few.sockets) {
    EXPECT_EQ(socket.entry.tracking, kernel::Tracking::kTracked);
  }
}

TEST(TrackingTest, LearnsThatADumpWalksTheEntriesOfOtherNamespacesToo) {
  const lab::Namespace huge;
  huge.Run([] { bench::FillConntrack(60'000); });
  const Wire wire;
  TrackConnections(wire.local);
  const Listener listener(wire.peer, Wire::kPeer4, 80);
  const std::vector<UniqueFd> held = lab::ConnectMany(80, wire.local, Wire::kPeer4, 80, listener);
  ASSERT_LT(std::stoi(wire.local.Shell("conntrack -C")), 100) << "few enough to be taken for nothing";
  wire.local.Run([] {
    TrackingCollector collector(lab::HostHere());
    std::vector<kernel::EntryJoin::Strategy> strategies;
    for (int i = 0; i < 3; ++i) {
      const auto collected = collector.Collect(Deadline::After(std::chrono::seconds(10)));
      ASSERT_TRUE(collected.has_value());
      const auto& sample = dynamic_cast<const TrackingSample&>(*collected->data);
      EXPECT_EQ(sample.sockets.CountTracked(IpFamily::kIpv4), 80U);
      strategies.push_back(sample.strategy);
    }
    using enum kernel::EntryJoin::Strategy;
    EXPECT_EQ(strategies, (std::vector{kStream, kAsk, kAsk}));
  });
}

TEST(TrackingTest, OverLoopbackBothEndsShareOneEntry) {
  const lab::Namespace alone;
  TrackConnections(alone);
  const Listener listener(alone, "127.0.0.1", 80);
  const UniqueFd client = Connect(alone, "127.0.0.1", 80);
  const UniqueFd server = listener.Accept();
  for (const auto strategy : {kernel::EntryJoin::Strategy::kAsk, kernel::EntryJoin::Strategy::kStream}) {
    const auto found = By(strategy, alone);
    EXPECT_EQ(found.size(), 2U);
    for (const auto& [local, tracking] : found) {
      EXPECT_EQ(tracking, kernel::Tracking::kTracked) << local;
    }
  }
}

// The sockets of a connection whose entry a rule has put into a zone.
void ExpectTrackedInZone(const std::string& zone) {
  const Wire wire;
  wire.local.Shell("iptables -t raw -A PREROUTING -j CT " + zone + "; iptables -t raw -A OUTPUT -j CT " + zone +
                   "; iptables -A OUTPUT -m conntrack --ctstate INVALID -j ACCEPT");
  const Listener listener(wire.peer, Wire::kPeer4, 80);
  const Listener inbound(wire.local, "0.0.0.0", 81);
  const UniqueFd out = Connect(wire.local, Wire::kPeer4, 80);
  const UniqueFd in = Connect(wire.peer, Wire::kLocal4, 81);
  const UniqueFd accepted = inbound.Accept();
  wire.local.Run([] {
    TrackingCollector collector(lab::HostHere());
    for (int i = 0; i < 2; ++i) {  // the first finds the zone by streaming, the second asks in it
      const auto collected = collector.Collect(Deadline::After(std::chrono::seconds(10)));
      ASSERT_TRUE(collected.has_value());
      const auto& sample = dynamic_cast<const TrackingSample&>(*collected->data);
      EXPECT_EQ(sample.sockets.Size(), 2U);
      EXPECT_EQ(sample.sockets.CountTracked(IpFamily::kIpv4), 2U) << i;
    }
  });
}

TEST(TrackingTest, AnEntryInAZoneIsFound) { ExpectTrackedInZone("--zone 7"); }

TEST(TrackingTest, AnEntryInAZoneOfOneDirectionIsFound) {
  ExpectTrackedInZone("--zone-orig 7");
  ExpectTrackedInZone("--zone-reply 7");
}

TEST(TrackingTest, AZoneDoesNotHideThatAnEntryIsGone) {
  const Wire wire;
  wire.local.Shell(
      "iptables -t raw -A PREROUTING -j CT --zone 7; iptables -t raw -A OUTPUT -j CT --zone 7; "
      "iptables -A OUTPUT -m conntrack --ctstate INVALID -j ACCEPT");
  const Listener listener(wire.peer, Wire::kPeer4, 80);
  const UniqueFd kept = Connect(wire.local, Wire::kPeer4, 80);
  const UniqueFd forgotten = Connect(wire.local, Wire::kPeer4, 80);
  const Endpoint local = *Endpoint::Parse(lab::LocalEndpoint(forgotten));
  wire.local.Shell("conntrack -D -p tcp --sport " + std::to_string(local.port) + " >/dev/null 2>&1");
  for (const kernel::TcpSocket& socket : CollectTracking(wire.local).sockets) {
    EXPECT_EQ(socket.entry.tracking, socket.local == local ? kernel::Tracking::kUntracked : kernel::Tracking::kTracked);
  }
}

TEST(TrackingTest, KnowsWhatElseTheKernelTellsOfASocket) {
  const Wire wire;
  TrackConnections(wire.local);
  const Listener listener(wire.peer, Wire::kPeer4, 80);
  const UniqueFd marked = Connect(wire.local, Wire::kPeer4, 80);
  const int mark = 0x5a;
  ASSERT_EQ(::setsockopt(marked.Get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark), 0);
  const TrackingSample sample = CollectTracking(wire.local);
  ASSERT_EQ(sample.sockets.Size(), 1U);
  EXPECT_EQ(sample.sockets[0].mark, 0x5aU);
  EXPECT_FALSE(sample.sockets[0].orphan);
  EXPECT_TRUE(sample.sockets[0].cgroup_id.has_value());
}

TEST(TrackingTest, KnowsWhenTheNextKeepaliveIsDue) {
  const Wire wire;
  TrackConnections(wire.local);
  const Listener listener(wire.peer, Wire::kPeer4, 80);
  const UniqueFd kept = Connect(wire.local, Wire::kPeer4, 80);
  const UniqueFd silent = Connect(wire.local, Wire::kPeer4, 80);
  const int on = 1;
  const int seconds = 500;
  ASSERT_EQ(::setsockopt(kept.Get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on), 0);
  ASSERT_EQ(::setsockopt(kept.Get(), IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds), 0);
  for (const kernel::TcpSocket& socket : CollectTracking(wire.local).sockets) {
    if (socket.local.Text() == lab::LocalEndpoint(kept)) {
      ASSERT_TRUE(socket.KeepaliveDue().has_value());
      EXPECT_NEAR(static_cast<double>(socket.KeepaliveDue()->count()), 500'000, 5'000);
    } else {
      EXPECT_FALSE(socket.KeepaliveDue().has_value());
    }
  }
}

}  // namespace
}  // namespace finwait::sources
