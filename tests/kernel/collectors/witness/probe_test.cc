// What the kernel says of closing packets that it drops, in every place where it can drop one.

#include "collectors/witness/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "collectors/kernel/cgroup_walk.h"
#include "collectors/witness/drop.h"
#include "tests/lab/bpf_programs.h"
#include "tests/lab/connection.h"
#include "tests/lab/host.h"
#include "tests/lab/namespace.h"

namespace finwait::witness {
namespace {

using lab::Wire;

// How a drop is told, in one line: packet, class of the reason, place, direction, family, entry, and the ports.
struct Told {
  ClosingPacket packet;
  ReasonClass reason;
  int place;
  bool incoming;
  bool ipv6;
  bool operator==(const Told&) const = default;
};
void PrintTo(const Told& told, std::ostream* out) {
  *out << Name(told.packet) << " " << Name(told.reason) << " place " << told.place << (told.incoming ? " in" : " out")
       << (told.ipv6 ? " ipv6" : " ipv4");
}

constexpr std::uint16_t kPort = 4000;

class ProbeTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!lab::MayLoadBpf()) {
      GTEST_SKIP() << "this process may not load BPF programs";
    }
    if (const auto attached = Watch(wire_.local); !attached) {
      // It runs on every kernel that gives reasons; where it is not accepted, that is to be seen.
      ASSERT_THAT(attached.error().message, testing::AnyOf(testing::HasSubstr("without the witness"),
                                                           testing::HasSubstr("this kernel gives no reason"),
                                                           testing::HasSubstr("/sys/kernel/btf")));
      GTEST_SKIP() << attached.error().message;
    }
  }

  Result<void> Watch(const lab::Namespace& where) {
    std::uint64_t inode = 0;
    where.Run([&] { inode = lab::HostHere().network_namespace.inode; });
    auto probe = Probe::Attach(inode);
    if (!probe) {
      return Failure(probe.error());
    }
    probe_ = std::move(*probe);
    return {};
  }

  static bool Ipv6() { return GetParam(); }
  static std::string Peer() { return Ipv6() ? Wire::kPeer6 : Wire::kPeer4; }
  static std::string Tables() { return Ipv6() ? "ip6tables" : "iptables"; }

  void Open() {
    listener_ = std::make_unique<lab::Listener>(wire_.peer, Peer(), kPort);
    auto ends = lab::ConnectMany(1, wire_.local, Peer(), kPort, *listener_);
    local_ = std::move(ends[0]);
    peer_ = std::move(ends[1]);
    local_end_ = lab::LocalEndpoint(local_);
  }
  void Shell(const std::string& script) { wire_.local.Shell(script); }
  void LoseEntries() { wire_.local.Shell("conntrack -F -f ipv4 2>/dev/null; conntrack -F -f ipv6 2>/dev/null; true"); }
  static void Reset(UniqueFd& socket) {
    const linger now = {1, 0};
    ::setsockopt(socket.Get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    socket.Reset();
  }

  // The first packet of this connection that is told; its reason and the function that dropped it stay in `last_`.
  std::optional<Told> NextDrop() {
    std::optional<Told> told;
    lab::Eventually([&] {
      probe_->Wait(std::chrono::milliseconds(20), [&](const TextedEvent& event) {
        const bool ours = event.event.source_port == kPort || event.event.destination_port == kPort;
        if (ours && !told) {
          last_ = event;
          told = Told{static_cast<ClosingPacket>(event.event.packet),
                      static_cast<ReasonClass>(event.event.reason_class - 1), event.event.place,
                      event.event.incoming != 0, event.event.ipv6 != 0};
        }
      });
      return told.has_value();
    });
    return told;
  }
  // Both ends of the packet, as it was told.
  std::string Source() const {
    const std::size_t size = last_.event.ipv6 != 0 ? 16 : 4;
    return Endpoint{*IpAddress::FromBytes(std::as_bytes(std::span(last_.event.source).first(size))),
                    last_.event.source_port}
        .Text();
  }

  static Told Fin(ReasonClass reason, int place = 0, bool incoming = false) {
    return {ClosingPacket::kFin, reason, place, incoming, Ipv6()};
  }

  Wire wire_;
  std::unique_ptr<Probe> probe_;
  std::unique_ptr<lab::Listener> listener_;
  UniqueFd local_;
  UniqueFd peer_;
  std::string local_end_;
  TextedEvent last_;
};

TEST_P(ProbeTest, FinDroppedByARuleOnTheWayOut) {
  Open();
  Shell(Tables() + " -A OUTPUT -p tcp -m conntrack --ctstate INVALID -j DROP");
  LoseEntries();
  local_.Reset();
  EXPECT_EQ(NextDrop(), Fin(ReasonClass::kNetfilter));
  EXPECT_EQ(Source(), local_end_);
  EXPECT_EQ(last_.reason, "NETFILTER_DROP");
  EXPECT_EQ(last_.event.tracked, 0);
  EXPECT_NE(std::string(last_.event.symbol), "");
}

TEST_P(ProbeTest, FinDroppedByALegacyRule) {
  Open();
  Shell(Tables() + "-legacy -A OUTPUT -p tcp -m conntrack --ctstate INVALID -j DROP");
  LoseEntries();
  local_.Reset();
  EXPECT_EQ(NextDrop(), Fin(ReasonClass::kNetfilter));
}

TEST_P(ProbeTest, ResetOfASocketThatNoLongerExists) {
  Open();
  Shell(Tables() + " -A OUTPUT -p tcp -m conntrack --ctstate INVALID -j DROP");
  LoseEntries();
  Reset(local_);
  EXPECT_EQ(NextDrop(), (Told{ClosingPacket::kRst, ReasonClass::kNetfilter, 0, false, Ipv6()}));
  EXPECT_EQ(Source(), local_end_);
}

TEST_P(ProbeTest, FinDroppedByAPolicy) {
  Open();
  Shell(
      "nft 'add table inet t; add chain inet t o { type filter hook output priority 0; policy drop; }; "
      "add rule inet t o ct state established accept; add rule inet t o meta l4proto ipv6-icmp accept'");
  LoseEntries();
  local_.Reset();
  EXPECT_EQ(NextDrop(), Fin(ReasonClass::kNetfilter));
}

TEST_P(ProbeTest, PeersFinDroppedOnTheWayIn) {
  Open();
  Shell(Tables() + " -A INPUT -p tcp -m conntrack --ctstate INVALID -j DROP");
  LoseEntries();
  peer_.Reset();
  EXPECT_EQ(NextDrop(), Fin(ReasonClass::kNetfilter, 0, true));
}

TEST_P(ProbeTest, FinWithAnEntryIsToldAsSuch) {
  Shell(Tables() + " -A OUTPUT -p tcp --tcp-flags FIN FIN -m conntrack --ctstate ESTABLISHED -j DROP");
  Open();
  local_.Reset();
  EXPECT_EQ(NextDrop(), Fin(ReasonClass::kNetfilter));
  EXPECT_EQ(last_.event.tracked, 2);
}

TEST_P(ProbeTest, FinDroppedByTcOnTheWayOut) {
  if (!lab::HasTcx()) {
    GTEST_SKIP() << "this kernel has no tcx (Linux 6.6)";
  }
  Open();
  std::optional<lab::DroppingProgram> program;
  wire_.local.Run([&] { program.emplace(lab::DroppingProgram::AtTcOf("veth0")); });
  local_.Reset();
  EXPECT_EQ(NextDrop(), Fin(ReasonClass::kQdisc));
  EXPECT_EQ(Source(), local_end_);
}

TEST_P(ProbeTest, FinDroppedByAQueueThatIsFull) {
  Open();
  Shell("tc qdisc add dev veth0 root pfifo limit 0");
  local_.Reset();
  EXPECT_EQ(NextDrop(), Fin(ReasonClass::kQdisc));
}

TEST_P(ProbeTest, PeersFinDroppedByGenericXdp) {
  Open();
  std::optional<lab::DroppingProgram> program;
  wire_.local.Run([&] { program.emplace(lab::DroppingProgram::AtDevice("veth0")); });
  peer_.Reset();
  EXPECT_EQ(NextDrop(), Fin(ReasonClass::kBpf, 2, true));
}

TEST_P(ProbeTest, FinWithoutARoute) {
  Open();
  Shell(Ipv6() ? "ip -6 route add blackhole 2001:db8::2/128" : "ip route add blackhole 192.0.2.2/32");
  local_.Reset();
  EXPECT_EQ(NextDrop(), Fin(ReasonClass::kRoute));
  EXPECT_EQ(Source(), local_end_);
}

TEST_P(ProbeTest, FinToANeighbourThatDoesNotAnswer) {
  Open();
  wire_.peer.Shell(
      "nft 'add table netdev t; add chain netdev t i "
      "{ type filter hook ingress device veth0 priority 0; policy drop; }'");
  Shell(
      "sysctl -qw net.ipv4.neigh.veth0.mcast_solicit=1 net.ipv6.neigh.veth0.mcast_solicit=1 "
      "net.ipv4.neigh.veth0.ucast_solicit=1 net.ipv6.neigh.veth0.ucast_solicit=1 "
      "net.ipv4.neigh.veth0.retrans_time_ms=50 net.ipv6.neigh.veth0.retrans_time_ms=50; "
      "ip neigh del 192.0.2.2 dev veth0; ip -6 neigh del 2001:db8::2 dev veth0");
  local_.Reset();
  EXPECT_EQ(NextDrop(), Fin(ReasonClass::kRoute));
}

TEST_P(ProbeTest, FinDroppedByABpfProgramInNetfilter) {
  if (!lab::HasNetfilterPrograms()) {
    GTEST_SKIP() << "this kernel has no BPF links in netfilter (Linux 6.4)";
  }
  Open();
  std::optional<lab::DroppingProgram> program;
  wire_.local.Run([&] {
    program.emplace(lab::DroppingProgram::InNetfilter(Ipv6() ? NFPROTO_IPV6 : NFPROTO_IPV4, NF_INET_LOCAL_OUT));
  });
  local_.Reset();
  EXPECT_EQ(NextDrop(), Fin(ReasonClass::kNetfilter));
  EXPECT_EQ(Source(), local_end_);
}

// A program of the control group of the process that has closed.
TEST_P(ProbeTest, FinDroppedByAProgramOfItsControlGroup) {
  const auto groups = kernel::FindCgroup2("/proc", Deadline::After(std::chrono::seconds(1)));
  if (!groups) {
    GTEST_SKIP() << "no cgroup v2";
  }
  const std::string group = *groups + "/finwait-probe-" + std::to_string(::getpid());
  if (::mkdir(group.c_str(), 0755) != 0) {
    GTEST_SKIP() << "no control group can be made";
  }
  listener_ = std::make_unique<lab::Listener>(wire_.peer, Peer(), kPort);
  const pid_t process =
      wire_.local.Spawn({"sh", "-c",
                         "echo $$ > " + group +
                             "/cgroup.procs && exec python3 -c 'import socket, time; s = socket.create_connection((\"" +
                             Peer() + "\", " + std::to_string(kPort) + ")); time.sleep(60)'"});
  peer_ = listener_->Accept();
  std::optional<std::uint64_t> number;
  struct stat status = {};
  if (::stat(group.c_str(), &status) == 0) {
    number = status.st_ino;
  }
  {
    const auto program = lab::DroppingProgram::AtEgressOf(group);
    ::kill(process, SIGKILL);
    EXPECT_EQ(NextDrop(), Fin(ReasonClass::kBpf));
    EXPECT_EQ(last_.event.cgroup, number);
  }
  ::waitpid(process, nullptr, 0);
  EXPECT_TRUE(lab::Eventually([&] { return ::rmdir(group.c_str()) == 0; }));
}

// What a router drops of a connection that is not its own.
TEST_P(ProbeTest, FinDroppedOnTheWayThrough) {
  const lab::Namespace far;
  wire_.local.Shell("ip link add far0 type veth peer name near0 netns " + far.Path() +
                    "; sysctl -qw net.ipv6.conf.far0.accept_dad=0; ip addr add 198.51.100.1/24 dev far0; ip addr add "
                    "2001:db8:1::1/64 dev far0 nodad; "
                    "ip link set far0 up; sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
  far.Shell(
      "sysctl -qw net.ipv6.conf.near0.accept_dad=0; ip addr add 198.51.100.2/24 dev near0; ip addr add "
      "2001:db8:1::2/64 dev near0 nodad; ip link set near0 up; "
      "ip route add default via 198.51.100.1; ip -6 route add default via 2001:db8:1::1");
  wire_.peer.Shell("ip route add default via 192.0.2.1; ip -6 route add 2001:db8:1::/64 via 2001:db8::1");
  Shell(Tables() + " -A FORWARD -p tcp -m conntrack --ctstate INVALID -j DROP");
  const std::string address = Ipv6() ? "2001:db8:1::2" : "198.51.100.2";
  const lab::Listener listener(far, address, kPort);
  auto ends = lab::ConnectMany(1, wire_.peer, address, kPort, listener);
  LoseEntries();
  ends[0].Reset();
  EXPECT_EQ(NextDrop(), Fin(ReasonClass::kNetfilter, 1, true));
}

TEST_P(ProbeTest, WhatOtherNamespacesDropDoesNotCount) {
  Open();
  wire_.peer.Shell(Tables() + " -A INPUT -p tcp --tcp-flags FIN FIN -j DROP");
  Shell(Tables() + " -A INPUT -p tcp --tcp-flags RST RST -j DROP");
  local_.Reset();
  Reset(peer_);  // told by this namespace, after the FIN that the other one has dropped
  EXPECT_EQ(NextDrop(), (Told{ClosingPacket::kRst, ReasonClass::kNetfilter, 0, true, Ipv6()}));
}

TEST_P(ProbeTest, AnOrdinaryCloseIsNoDrop) {
  Open();
  const auto before = probe_->Counts();
  local_.Reset();
  peer_.Reset();
  ASSERT_TRUE(lab::Eventually([&] {
    return wire_.peer.Shell("ss -Htan state established").empty() &&
           wire_.local.Shell("ss -Htan state established state fin-wait-1 state last-ack").empty();
  }));
  const auto after = probe_->Counts();
  EXPECT_EQ(std::memcmp(&before, &after, sizeof before), 0);
}

INSTANTIATE_TEST_SUITE_P(, ProbeTest, testing::Bool(),
                         [](const auto& parameter) { return parameter.param ? "Ipv6" : "Ipv4"; });

}  // namespace
}  // namespace finwait::witness
