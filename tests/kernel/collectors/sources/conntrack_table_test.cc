#include "collectors/sources/conntrack_table.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <map>
#include <numeric>
#include <sstream>

#include "tests/lab/connection.h"
#include "tests/lab/host.h"

namespace finwait::sources {
namespace {

using lab::Connect;
using lab::Listener;
using lab::Wire;

ConntrackTableSample CollectTable(const lab::Namespace& where) {
  return lab::Collect<ConntrackTableSample, ConntrackTableCollector>(where);
}

// The flows that `conntrack -L` lists, as "ipv4 tcp established" or "ipv6 udp".
std::map<std::string, std::uint64_t> CountByTool(const lab::Namespace& where) {
  std::map<std::string, std::uint64_t> counts;
  for (const char* family : {"ipv4", "ipv6"}) {
    std::istringstream lines(where.Shell(std::string("conntrack -L -f ") + family + " 2>/dev/null"));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream fields(line);
      std::string protocol;
      std::string number;
      std::string timeout;
      std::string state;
      fields >> protocol >> number >> timeout >> state;
      std::transform(state.begin(), state.end(), state.begin(), ::tolower);
      if (protocol == "tcp") {
        ++counts[std::string(family) + " tcp " + state];
      } else {
        ++counts[std::string(family) + " " +
                 (protocol == "udp"              ? "udp"
                  : protocol.starts_with("icmp") ? "icmp"
                                                 : "other")];
      }
    }
  }
  return counts;
}

std::map<std::string, std::uint64_t> CountByCollector(const lab::Namespace& where) {
  std::map<std::string, std::uint64_t> counts;
  const ConntrackTableSample sample = CollectTable(where);
  for (const IpFamily family : kIpFamilies) {
    const FlowCounts& flows = sample.flows[family];
    const std::string prefix(Name(family));
    for (std::size_t state = 0; state < kernel::kConntrackTcpStateCount; ++state) {
      counts[prefix + " tcp " + std::string(Name(static_cast<kernel::ConntrackTcpState>(state)))] = flows.tcp[state];
    }
    counts[prefix + " udp"] = flows.udp;
    counts[prefix + " icmp"] = flows.icmp;
    counts[prefix + " other"] = flows.other;
  }
  std::erase_if(counts, [](const auto& item) { return item.second == 0; });
  return counts;
}

// An ICMP echo request, as `ping` would send.
void SendEcho(const lab::Namespace& where, const char* address) {
  where.Run([&] {
    const UniqueFd fd(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
    icmphdr echo = {};
    echo.type = ICMP_ECHO;
    echo.checksum = htons(static_cast<std::uint16_t>(~(ICMP_ECHO << 8)));
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    ASSERT_EQ(::inet_pton(AF_INET, address, &to.sin_addr), 1);
    ASSERT_EQ(::sendto(fd.Get(), &echo, sizeof echo, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to),
              static_cast<ssize_t>(sizeof echo));
  });
}

TEST(ConntrackTableTest, CountsFlowsByFamilyProtocolAndStateAsTheConntrackToolDoes) {
  const Wire wire;
  // A rule that asks for the state makes conntrack active in this namespace.
  wire.local.Shell(
      "iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP; "
      "ip6tables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  const Listener four(wire.peer, Wire::kPeer4, 80);
  const Listener six(wire.peer, Wire::kPeer6, 80);
  std::vector<UniqueFd> held;
  for (int i = 0; i < 4; ++i) {
    held.push_back(Connect(wire.local, Wire::kPeer4, 80));
    held.push_back(four.Accept());
  }
  held.push_back(Connect(wire.local, Wire::kPeer6, 80));
  held.push_back(six.Accept());
  held.push_back(Connect(wire.local, Wire::kPeer4, 80));
  { const UniqueFd closed_by_peer = four.Accept(); }
  {
    UniqueFd client = Connect(wire.local, Wire::kPeer4, 80);
    const UniqueFd server = four.Accept();
    client.Reset();
  }
  SendEcho(wire.local, Wire::kPeer4);
  wire.local.Shell("bash -c 'echo x > /dev/udp/192.0.2.2/9'");
  // The SYN to a dropped port stays in SYN_SENT.
  wire.peer.Shell("iptables -A INPUT -p tcp --dport 99 -j DROP");
  wire.local.Shell("timeout 0.2 bash -c 'echo > /dev/tcp/192.0.2.2/99' 2>/dev/null || true");
  const auto expected = CountByTool(wire.local);
  EXPECT_EQ(CountByCollector(wire.local), expected);
  EXPECT_GE(expected.size(), 6U) << "the lab made too few kinds of flows to prove anything";
  EXPECT_TRUE(CountByCollector(wire.peer).contains("ipv4 tcp established") ==
              CountByTool(wire.peer).contains("ipv4 tcp established"));
}

TEST(ConntrackTableTest, IdleAgeIsTheTimeoutMinusWhatRemains) {
  const Wire wire;
  wire.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  wire.local.Sysctl("net.netfilter.nf_conntrack_tcp_timeout_established", "1000");
  const Listener listener(wire.peer, Wire::kPeer4, 80);
  const UniqueFd client = Connect(wire.local, Wire::kPeer4, 80);
  const UniqueFd server = listener.Accept();
  ConntrackTableSample sample = CollectTable(wire.local);
  ASSERT_EQ(sample.remaining[0].counts[3], 1U)
      << "an established entry with about 1000 s left belongs between 300 and 1800";
  EXPECT_NEAR(sample.remaining[0].sum, 1000, 5);
  EXPECT_NEAR(sample.idle[0]->sum, 0, 5);
  EXPECT_EQ(sample.idle[0]->counts[0], 1U);

  // With a timeout of 1400 s, 1000 s are left after 400 s without a packet: what remains is the kernel's, the age
  // follows.
  wire.local.Sysctl("net.netfilter.nf_conntrack_tcp_timeout_established", "1400");
  sample = CollectTable(wire.local);
  EXPECT_NEAR(sample.remaining[0].sum, 1000, 5);
  EXPECT_NEAR(sample.idle[0]->sum, 400, 5);
  EXPECT_EQ(sample.idle[0]->counts[3], 1U);

  // A timeout lowered after the last packet would make the age negative: it is shown as 0.
  wire.local.Sysctl("net.netfilter.nf_conntrack_tcp_timeout_established", "100");
  EXPECT_EQ(CollectTable(wire.local).idle[0]->sum, 0);
}

// libnetfilter_conntrack's own parser as the reference for our decoder, entry by entry.
TEST(ConntrackTableTest, DecodesEntriesAsLibnetfilterConntrackDoes) {
  const Wire wire;
  wire.local.Shell(
      "iptables -t nat -A OUTPUT -d 198.51.100.1 -j DNAT --to-destination 192.0.2.2; "
      "ip route add 198.51.100.0/24 via 192.0.2.2; ip6tables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
  const Listener four(wire.peer, Wire::kPeer4, 80);
  const Listener six(wire.peer, Wire::kPeer6, 80);
  const UniqueFd translated = Connect(wire.local, "198.51.100.1", 80);
  const UniqueFd plain = Connect(wire.local, Wire::kPeer6, 80);
  const UniqueFd server4 = four.Accept();
  const UniqueFd server6 = six.Accept();

  int compared = 0;
  wire.local.Run([&] {
    auto channel = kernel::netlink::Channel::Open(NETLINK_NETFILTER);
    ASSERT_TRUE(channel.has_value());
    kernel::netlink::FunctionSink sink(
        [] {},
        [&](const kernel::netlink::Message& message) -> Result<void> {
          // The reference wants a whole message, header included, in a buffer of its own.
          std::vector<std::byte> whole(NLMSG_HDRLEN + message.payload.size());
          auto* header = reinterpret_cast<nlmsghdr*>(whole.data());
          header->nlmsg_len = static_cast<std::uint32_t>(whole.size());
          header->nlmsg_type = message.type;
          std::copy(message.payload.begin(), message.payload.end(), whole.begin() + NLMSG_HDRLEN);
          nf_conntrack* reference = nfct_new();
          EXPECT_EQ(nfct_nlmsg_parse(header, reference), 0);

          const auto decoded = kernel::DecodeConntrackEntry(message);
          if (!decoded || !*decoded) {
            ADD_FAILURE() << "not decoded";
            return {};
          }
          const kernel::ConntrackEntry& entry = **decoded;
          EXPECT_EQ(entry.protocol, nfct_get_attr_u8(reference, ATTR_L4PROTO));
          EXPECT_EQ(entry.status, nfct_get_attr_u32(reference, ATTR_STATUS));
          EXPECT_EQ(entry.remaining_seconds, nfct_get_attr_u32(reference, ATTR_TIMEOUT));
          if (entry.protocol == IPPROTO_TCP) {
            EXPECT_EQ(static_cast<std::uint8_t>(*entry.tcp_state), nfct_get_attr_u8(reference, ATTR_TCP_STATE));
            const auto original = kernel::DecodeConntrackTuple(entry.original);
            const auto reply = kernel::DecodeConntrackTuple(entry.reply);
            const bool ipv4 = entry.family == IpFamily::kIpv4;
            const auto address = [&](nf_conntrack_attr four_attr, nf_conntrack_attr six_attr) {
              const auto* bytes = static_cast<const std::byte*>(nfct_get_attr(reference, ipv4 ? four_attr : six_attr));
              return *IpAddress::FromBytes(std::span(bytes, ipv4 ? 4U : 16U));
            };
            const auto port = [&](nf_conntrack_attr attr) { return ntohs(nfct_get_attr_u16(reference, attr)); };
            EXPECT_EQ(original, (kernel::ConntrackTuple{{address(ATTR_IPV4_SRC, ATTR_IPV6_SRC), port(ATTR_PORT_SRC)},
                                                        {address(ATTR_IPV4_DST, ATTR_IPV6_DST), port(ATTR_PORT_DST)}}));
            EXPECT_EQ(reply, (kernel::ConntrackTuple{
                                 {address(ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV6_SRC), port(ATTR_REPL_PORT_SRC)},
                                 {address(ATTR_REPL_IPV4_DST, ATTR_REPL_IPV6_DST), port(ATTR_REPL_PORT_DST)}}));
            ++compared;
          }
          nfct_destroy(reference);
          return {};
        });
    kernel::netlink::Request request(kernel::netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET));
    request.Header(nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0});
    ASSERT_TRUE(channel->Dump(std::move(request), "test", Deadline::After(std::chrono::seconds(5)), sink).has_value());
  });
  EXPECT_EQ(compared, 2);
}

}  // namespace
}  // namespace finwait::sources
