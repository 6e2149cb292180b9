#include "collectors/kernel/netlink/transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "collectors/kernel/netlink/channel.h"
#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"
#include "tests/soon.h"

namespace finwait::kernel::netlink {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

Request ConntrackDump() {
  Request request(NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET));
  request.Header(nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0});
  return request;
}

// Counts the messages of a dump that were whole down to their attributes.
Result<int> CountEntries(Channel& channel) {
  int entries = 0;
  FunctionSink sink([&] { entries = 0; },
                    [&](const Message& message) -> Result<void> {
                      if (!ForEachAttribute(message.Attributes<nfgenmsg>(), [](const Attribute&) {})) {
                        return Fail(FailureReason::kError, "malformed attributes");
                      }
                      ++entries;
                      return {};
                    });
  auto report = channel.Dump(ConntrackDump(), "read the conntrack table", Soon(), sink);
  if (!report) {
    return Failure(report.error());
  }
  return entries;
}

// Takes every capability from the calling thread, and from no other.
void DropCapabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capset, &header, none) != 0) {
    throw std::runtime_error("capset");
  }
}

// Makes conntrack run in a namespace: it does where a rule asks for it.
void UseConntrack(const lab::Namespace& where) {
  where.Shell("nft 'add table ip t; add chain ip t out { type filter hook output priority 0; }'");
  where.Shell("nft add rule ip t out ct state new counter");
}

TEST(SocketTransport, CarriesARealDump) {
  const lab::Namespace where;
  UseConntrack(where);
  const lab::Listener listener(where, "127.0.0.1", 4000);
  std::vector<UniqueFd> connections;
  for (int i = 0; i < 500; ++i) {  // more than one datagram holds
    connections.push_back(lab::Connect(where, "127.0.0.1", 4000));
    connections.push_back(listener.Accept());
  }
  const std::string listed = where.Shell("conntrack -L 2>/dev/null");
  where.Run([&] {
    auto channel = Channel::Open(NETLINK_NETFILTER);
    ASSERT_TRUE(channel);
    const auto entries = CountEntries(*channel);
    ASSERT_TRUE(entries);
    EXPECT_EQ(*entries, 500);
    EXPECT_EQ(*entries, std::count(listed.begin(), listed.end(), '\n'));
    EXPECT_EQ(CountEntries(*channel), *entries) << "a channel serves one exchange after the other";
  });
}

TEST(SocketTransport, ReportsAMissingCapabilityAsAPermissionWithTheKernelsWords) {
  const lab::Namespace where;
  where.Run([] {
    DropCapabilities();
    auto channel = Channel::Open(NETLINK_NETFILTER);
    ASSERT_TRUE(channel);
    const auto entries = CountEntries(*channel);
    ASSERT_FALSE(entries);
    EXPECT_EQ(entries.error().reason, FailureReason::kPermission);
    EXPECT_EQ(entries.error().errno_code, EPERM);
    EXPECT_EQ(entries.error().message, "read the conntrack table: Operation not permitted");
  });
}

TEST(SocketTransport, SaysThatACapabilityIsMissingAtOnceForManyRequestsToo) {
  const lab::Namespace where;
  where.Run([] {
    DropCapabilities();
    auto channel = Channel::Open(NETLINK_NETFILTER);
    ASSERT_TRUE(channel);
    std::vector<Request> requests(3, Request(NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET)));
    for (Request& request : requests) {
      request.Header(nfgenmsg{AF_INET, NFNETLINK_V0, 0});
    }
    const auto asked = channel->GetEach(requests, "look up conntrack entries", Soon(),
                                        [](std::size_t, const Result<Message>&) { ADD_FAILURE() << "no answer"; });
    ASSERT_FALSE(asked);
    EXPECT_EQ(asked.error().reason, FailureReason::kPermission);
    EXPECT_EQ(asked.error().message, "look up conntrack entries: Operation not permitted");
  });
}

TEST(SocketTransport, PassesOnTheKernelsOwnSentence) {
  const lab::Namespace where;
  where.Run([] {
    auto channel = Channel::Open(NETLINK_ROUTE);
    ASSERT_TRUE(channel);
    Request request(RTM_GETADDR);
    ifaddrmsg header = {};
    header.ifa_prefixlen = 24;  // which strict checking refuses
    request.Header(header);
    FunctionSink sink([] {}, [](const Message&) -> Result<void> { return {}; });
    const auto report = channel->Dump(request, "read addresses", Soon(), sink);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().errno_code, EINVAL);
    EXPECT_THAT(report.error().message, StartsWith("read addresses: Invalid argument (the kernel says: "));
    EXPECT_THAT(report.error().message, EndsWith("Invalid values in header for address dump request)"));
  });
}

TEST(SocketTransport, AnswersAGetForWhatIsNotThereWithItsErrno) {
  const lab::Namespace where;
  where.Run([] {
    auto channel = Channel::Open(NETLINK_NETFILTER);
    ASSERT_TRUE(channel);
    Request request(NetfilterType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE));
    request.Header(nfgenmsg{NFPROTO_IPV4, NFNETLINK_V0, 0}).PutText(NFTA_TABLE_NAME, "absent");
    const auto answer =
        channel->Get(request, "read a table", Soon(), [](const Message&) -> Result<void> { return {}; });
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().errno_code, ENOENT);
    EXPECT_EQ(answer.error().reason, FailureReason::kUnsupported);
  });
}

TEST(SocketTransport, EndsAGetAtItsAcknowledgement) {
  const lab::Namespace where;
  where.Shell("nft add table ip t");
  where.Run([] {
    auto channel = Channel::Open(NETLINK_NETFILTER);
    ASSERT_TRUE(channel);
    Request request(NetfilterType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE));
    request.Header(nfgenmsg{NFPROTO_IPV4, NFNETLINK_V0, 0}).PutText(NFTA_TABLE_NAME, "t");
    int messages = 0;
    const auto before = SteadyClock::now();
    ASSERT_TRUE(channel->Get(request, "read a table", Soon(), [&](const Message& message) -> Result<void> {
      ++messages;
      EXPECT_EQ(message.type, NetfilterType(NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWTABLE));
      return {};
    }));
    EXPECT_EQ(messages, 1);
    EXPECT_LT(SteadyClock::now() - before, std::chrono::seconds(4)) << "it waited for its deadline";
  });
}

TEST(SocketTransport, DoesNotSendWhatWouldChangeTheKernel) {
  const lab::Namespace where;
  UseConntrack(where);
  const lab::Listener listener(where, "127.0.0.1", 4000);
  const UniqueFd connection = lab::Connect(where, "127.0.0.1", 4000);
  where.Run([] {
    auto transport = SocketTransport::Open(NETLINK_NETFILTER);
    ASSERT_TRUE(transport);
    Request flush(NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE), NLM_F_ACK);
    flush.Header(nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0});
    const Request read = ConntrackDump();
    std::vector<std::byte> both(read.Data().begin(), read.Data().end());
    both.insert(both.end(), flush.Data().begin(), flush.Data().end());
    for (const Bytes datagram : {flush.Data(), Bytes(both)}) {
      const auto sent = (*transport)->Send(datagram, Soon());
      ASSERT_FALSE(sent);
      EXPECT_THAT(sent.error().message, EndsWith("is not on the list of read requests"));
    }
    const auto answer = (*transport)->Receive(Deadline::After(std::chrono::milliseconds(50)));
    ASSERT_FALSE(answer) << "the kernel was asked something";
    EXPECT_EQ(answer.error().reason, FailureReason::kTimeout);
  });
  EXPECT_THAT(where.Shell("conntrack -L 2>/dev/null"), HasSubstr("dport=4000"));
}

TEST(SocketTransport, WaitsForAnAnswerUntilTheDeadlineAndNoLonger) {
  auto transport = SocketTransport::Open(NETLINK_ROUTE);
  ASSERT_TRUE(transport);
  const auto before = SteadyClock::now();
  const auto answer = (*transport)->Receive(Deadline::After(std::chrono::milliseconds(100)));
  const auto waited = SteadyClock::now() - before;
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().reason, FailureReason::kTimeout);
  EXPECT_EQ(answer.error().message, "receive from netlink: no answer within the deadline");
  EXPECT_GE(waited, std::chrono::milliseconds(100));
  EXPECT_LT(waited, std::chrono::seconds(3));
}

// A stranger's datagram on a real socket: NETLINK_USERSOCK lets any process send to any port.
TEST(SocketTransport, TellsWhoSentADatagramAndThatItWasTooLarge) {
  auto transport = SocketTransport::Open(NETLINK_USERSOCK);
  ASSERT_TRUE(transport);
  const UniqueFd stranger(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_USERSOCK));
  ASSERT_TRUE(stranger);
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  address.nl_pid = (*transport)->Port();
  for (const std::size_t size : {100u, 64u * 1024, 64u * 1024 + 1}) {
    const std::vector<char> datagram(size, 'x');
    ASSERT_EQ(
        ::sendto(stranger.Get(), datagram.data(), size, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address),
        static_cast<ssize_t>(size));
    const auto received = (*transport)->Receive(Soon());
    ASSERT_TRUE(received);
    EXPECT_NE(received->sender_port, 0u);
    EXPECT_NE(received->sender_port, (*transport)->Port());
    EXPECT_EQ(received->bytes.size(), std::min<std::size_t>(size, 64 * 1024));
    EXPECT_EQ(received->truncated, size > 64 * 1024);
  }
}

TEST(SocketTransport, SaysWhichProtocolThisKernelDoesNotHave) {
  const auto transport = SocketTransport::Open(31);
  ASSERT_FALSE(transport);
  EXPECT_EQ(transport.error().reason, FailureReason::kUnsupported);
  EXPECT_EQ(transport.error().message, "open a netlink socket of protocol 31: Protocol not supported");
}

}  // namespace
}  // namespace finwait::kernel::netlink
