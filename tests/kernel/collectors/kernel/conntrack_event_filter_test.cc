#include "collectors/kernel/conntrack_event_filter.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <map>
#include <set>

#include "collectors/kernel/conntrack_entry.h"
#include "collectors/kernel/netlink/event_socket.h"
#include "collectors/kernel/netlink/messages.h"
#include "tests/lab/connection.h"
#include "tests/lab/host.h"

namespace finwait::kernel {
namespace {

using lab::Connect;
using lab::Eventually;
using lab::Listener;
using lab::Namespace;
using lab::Wire;
using testing::IsEmpty;

// What one DESTROY event says.
struct Event {
  std::uint8_t protocol = 0;
  IpFamily family = IpFamily::kIpv4;
  std::optional<ConntrackTcpState> state;
  bool has_time_left = false;
  std::uint16_t source_port = 0;

  auto operator<=>(const Event&) const = default;
};

// A socket that hears DESTROY events of `where` from now on, through `filter`.
class Ear {
 public:
  Ear(const Namespace& where, std::vector<sock_filter> filter) {
    where.Run([&] {
      auto source = netlink::EventSocket::Open(
          {NETLINK_NETFILTER, {NFNLGRP_CONNTRACK_DESTROY}, std::move(filter), 4 * 1024 * 1024});
      if (!source) {
        throw std::runtime_error(source.error().message);
      }
      source_ = std::move(*source);
    });
  }

  // What has arrived since the last call.
  std::vector<Event> Heard() {
    std::vector<Event> events;
    for (;;) {
      const auto datagram = source_->Next();
      if (!datagram) {
        ADD_FAILURE() << datagram.error().message;
        return events;
      }
      if (!*datagram) {
        return events;
      }
      EXPECT_TRUE(netlink::ForEachMessage((*datagram)->bytes, [&](const netlink::Message& message) {
        const auto entry = DecodeConntrackEntry(message);
        if (!entry || !*entry) {
          ADD_FAILURE() << "not an entry";
          return;
        }
        const auto tuple = DecodeConntrackTuple((*entry)->original);
        events.push_back({(*entry)->protocol, (*entry)->family, (*entry)->tcp_state,
                          (*entry)->remaining_seconds.has_value(), tuple ? tuple->source.port : std::uint16_t{0}});
      }));
    }
  }

 private:
  std::unique_ptr<netlink::EventSource> source_;
};

void Timeout(const Namespace& where, const std::string& state, int seconds) {
  where.Sysctl("net.netfilter.nf_conntrack_tcp_timeout_" + state, std::to_string(seconds));
}

bool TableEmpties(const Namespace& where) {
  return Eventually([&] {
    where.Shell("conntrack -L >/dev/null 2>&1; conntrack -L -f ipv6 >/dev/null 2>&1");
    return where.Shell("conntrack -C") == "0\n";
  });
}

std::uint16_t PortOf(const UniqueFd& socket) { return Endpoint::Parse(lab::LocalEndpoint(socket))->port; }

struct ConntrackEventFilterTest : testing::Test {
  ConntrackEventFilterTest() {
    wire.local.Shell(
        "iptables -A OUTPUT -m conntrack --ctstate INVALID -j ACCEPT; "
        "ip6tables -A OUTPUT -m conntrack --ctstate INVALID -j ACCEPT");
  }

  Wire wire;
  Listener four{wire.peer, Wire::kPeer4, 80};
  Listener six{wire.peer, Wire::kPeer6, 80};
};

// The fact that the product stands on, shown without its filter: what the kernel says of an entry that timed out and of
// one that was deleted, in the same state.
TEST_F(ConntrackEventFilterTest, TheKernelTellsTheTimeLeftOfADeletedEntryAlone) {
  Ear ear(wire.local, {});
  const UniqueFd deleted = Connect(wire.local, Wire::kPeer4, 80);
  wire.local.Shell("conntrack -D -p tcp 2>/dev/null");
  const UniqueFd flushed = Connect(wire.local, Wire::kPeer6, 80);
  wire.local.Shell("conntrack -F 2>/dev/null");
  Timeout(wire.local, "established", 1);
  const UniqueFd expired = Connect(wire.local, Wire::kPeer4, 80);
  ASSERT_TRUE(TableEmpties(wire.local));

  std::map<std::uint16_t, Event> by_port;
  for (const Event& event : ear.Heard()) {
    if (event.protocol == IPPROTO_TCP) {
      EXPECT_EQ(event.state, ConntrackTcpState::kEstablished);
      by_port[event.source_port] = event;
    }
  }
  ASSERT_EQ(by_port.size(), 3U);
  EXPECT_TRUE(by_port.at(PortOf(deleted)).has_time_left);
  EXPECT_TRUE(by_port.at(PortOf(flushed)).has_time_left);
  EXPECT_FALSE(by_port.at(PortOf(expired)).has_time_left);
}

TEST_F(ConntrackEventFilterTest, LetsThroughEveryExpiryOfALiveEntryAndNothingElse) {
  Ear all(wire.local, {});
  Ear filtered(wire.local, LiveExpiryFilter());
  std::vector<UniqueFd> held;
  const auto open = [&](const char* peer, const Listener& listener) {
    held.push_back(Connect(wire.local, peer, 80));
    held.push_back(listener.Accept());
    return held.size() - 2;
  };
  // Nothing that anyone waits for: deletions of live entries, ...
  open(Wire::kPeer4, four);
  open(Wire::kPeer6, six);
  wire.local.Shell("conntrack -F 2>/dev/null");
  // ... connections that closed or were reset, ...
  for (const char* state : {"time_wait", "close", "syn_sent"}) {
    Timeout(wire.local, state, 1);
  }
  for (int i = 0; i < 5; ++i) {
    for (const bool ipv4 : {true, false}) {
      const std::size_t at = open(ipv4 ? Wire::kPeer4 : Wire::kPeer6, ipv4 ? four : six);
      if (i == 0) {
        const linger at_once = {1, 0};
        ASSERT_EQ(::setsockopt(held[at].Get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
      }
      held[at].Reset();
      held[at + 1].Reset();
    }
  }
  // ... a SYN without an answer, and another protocol.
  wire.peer.Shell("iptables -A INPUT -p tcp --dport 99 -j DROP");
  wire.local.Shell("timeout 0.2 bash -c 'echo > /dev/tcp/192.0.2.2/99' 2>/dev/null || true");
  wire.local.Sysctl("net.netfilter.nf_conntrack_udp_timeout", "1");
  wire.local.Shell("bash -c 'echo x > /dev/udp/192.0.2.2/9; echo x > /dev/udp/2001:db8::2/9'");
  ASSERT_TRUE(TableEmpties(wire.local));
  const std::vector<Event> unwanted = all.Heard();
  EXPECT_GE(unwanted.size(), 2U + 10 + 1 + 2) << "the lab made too little to be filtered out";
  EXPECT_THAT(filtered.Heard(), IsEmpty());

  Timeout(wire.local, "established", 1);
  Timeout(wire.local, "close_wait", 1);
  for (int i = 0; i < 20; ++i) {
    const std::size_t at = open(i % 2 == 0 ? Wire::kPeer4 : Wire::kPeer6, i % 2 == 0 ? four : six);
    if (i % 4 < 2) {
      ASSERT_EQ(::shutdown(held[at].Get(), SHUT_WR), 0);
    }
  }
  ASSERT_TRUE(TableEmpties(wire.local));
  std::set<Event> wanted;
  for (const Event& event : all.Heard()) {
    if (event.protocol == IPPROTO_TCP && !event.has_time_left) {
      wanted.insert(event);
    }
  }
  EXPECT_EQ(wanted.size(), 20U);
  const std::vector<Event> heard = filtered.Heard();
  EXPECT_EQ(std::set<Event>(heard.begin(), heard.end()), wanted);
  EXPECT_EQ(heard.size(), 20U);
}

// Collects the ports of the expiries that libnetfilter_conntrack hears through its own filter of TCP states.
int CollectExpiry(nf_conntrack_msg_type, nf_conntrack* entry, void* ports) {
  if (nfct_attr_is_set(entry, ATTR_TIMEOUT) == 0) {
    static_cast<std::multiset<std::uint16_t>*>(ports)->insert(ntohs(nfct_get_attr_u16(entry, ATTR_PORT_SRC)));
  }
  return NFCT_CB_CONTINUE;
}

TEST_F(ConntrackEventFilterTest, HearsTheExpiriesThatLibnetfilterConntrackHears) {
  nfct_handle* reference = nullptr;
  wire.local.Run([&] {
    reference = nfct_open(CONNTRACK, NF_NETLINK_CONNTRACK_DESTROY);
    ASSERT_NE(reference, nullptr);
    nfct_filter* filter = nfct_filter_create();
    nfct_filter_add_attr_u32(filter, NFCT_FILTER_L4PROTO, IPPROTO_TCP);
    for (const ConntrackTcpState state : kLiveConntrackStates) {
      const nfct_filter_proto proto = {IPPROTO_TCP, static_cast<std::uint16_t>(state)};
      nfct_filter_add_attr(filter, NFCT_FILTER_L4PROTO_STATE, &proto);
    }
    ASSERT_EQ(nfct_filter_attach(nfct_fd(reference), filter), 0);
    nfct_filter_destroy(filter);
  });
  Ear ours(wire.local, LiveExpiryFilter());
  Timeout(wire.local, "established", 1);
  Timeout(wire.local, "close_wait", 1);
  Timeout(wire.local, "time_wait", 1);
  std::vector<UniqueFd> held;
  for (int i = 0; i < 20; ++i) {
    held.push_back(Connect(wire.local, i % 2 == 0 ? Wire::kPeer4 : Wire::kPeer6, 80));
    held.push_back((i % 2 == 0 ? four : six).Accept());
    if (i % 5 == 0) {
      ASSERT_EQ(::shutdown(held[held.size() - 2].Get(), SHUT_WR), 0);
    }
    if (i % 5 == 1) {
      held.pop_back();
      held.pop_back();
    }
  }
  ASSERT_TRUE(TableEmpties(wire.local));
  std::multiset<std::uint16_t> expected;
  nfct_callback_register(reference, NFCT_T_DESTROY, &CollectExpiry, &expected);
  ASSERT_EQ(::fcntl(nfct_fd(reference), F_SETFL, O_NONBLOCK), 0);
  nfct_catch(reference);  // until there is no more
  nfct_close(reference);
  std::multiset<std::uint16_t> heard;
  for (const Event& event : ours.Heard()) {
    heard.insert(event.source_port);
  }
  EXPECT_EQ(expected.size(), 16U);
  EXPECT_EQ(heard, expected);
}

}  // namespace
}  // namespace finwait::kernel
