#include "collectors/sources/netstat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <sstream>
#include <string>

#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"

namespace finwait::sources {
namespace {

using testing::IsEmpty;

constexpr const char* kLoopback = "127.0.0.1";
constexpr std::uint16_t kPort = 4000;

NetstatSample CollectNetstat(const lab::Namespace& where) {
  NetstatSample sample;
  where.Run([&] {
    NetstatCollector collector(kernel::OpenHost("/proc").value());
    const auto collected = collector.Collect(Deadline::After(std::chrono::seconds(5)));
    ASSERT_TRUE(collected);
    EXPECT_THAT(collected->gaps, IsEmpty());
    sample = dynamic_cast<const NetstatSample&>(*collected->data);
  });
  return sample;
}

// The counter as nstat prints it (-s: leave its history file alone); nothing where it has no such line.
std::optional<std::uint64_t> Oracle(const lab::Namespace& where, const std::string& name) {
  std::istringstream lines(where.Shell("nstat -asz"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string counter;
    std::uint64_t value = 0;
    if (words >> counter >> value && counter == name) {
      return value;
    }
  }
  return std::nullopt;
}

void ExpectEqualToOracle(const lab::Namespace& where) {
  const NetstatSample sample = CollectNetstat(where);
  EXPECT_EQ(sample.abort_failed, Oracle(where, "TcpExtTCPAbortFailed"));
  EXPECT_EQ(sample.abort_on_timeout, Oracle(where, "TcpExtTCPAbortOnTimeout"));
  EXPECT_EQ(sample.abort_on_close, Oracle(where, "TcpExtTCPAbortOnClose"));
  EXPECT_EQ(sample.abort_on_memory, Oracle(where, "TcpExtTCPAbortOnMemory"));
  EXPECT_EQ(sample.timeouts, Oracle(where, "TcpExtTCPTimeouts"));
  EXPECT_EQ(sample.retrans_segs, Oracle(where, "TcpRetransSegs"));
  EXPECT_EQ(sample.out_rsts, Oracle(where, "TcpOutRsts"));
}

// Two ends of one connection over the namespace's loopback.
struct Pair {
  explicit Pair(const lab::Namespace& where)
      : listener(where, kLoopback, kPort), client(lab::Connect(where, kLoopback, kPort)), server(listener.Accept()) {}
  lab::Listener listener;
  UniqueFd client;
  UniqueFd server;
};

// Closes the client with a byte unread, which makes the kernel reset the connection.
void CloseWithDataUnread(Pair& pair) {
  ASSERT_EQ(::send(pair.server.Get(), "x", 1, 0), 1);
  char byte;
  ASSERT_EQ(::recv(pair.client.Get(), &byte, 1, MSG_PEEK), 1);  // it has arrived, and stays unread
  pair.client.Reset();
}

TEST(NetstatCollector, ReadsZeroAndNotNothingInAFreshNamespace) {
  const lab::Namespace where;
  const NetstatSample sample = CollectNetstat(where);
  for (const auto& counter : {sample.abort_failed, sample.abort_on_timeout, sample.abort_on_close,
                              sample.abort_on_memory, sample.retrans_segs, sample.timeouts, sample.out_rsts}) {
    EXPECT_EQ(counter, 0u);
  }
  ExpectEqualToOracle(where);
}

TEST(NetstatCollector, CountsAResetAndWhyItWasSent) {
  const lab::Namespace where;
  Pair pair(where);
  CloseWithDataUnread(pair);
  const NetstatSample sample = CollectNetstat(where);
  EXPECT_EQ(sample.abort_on_close, 1u);
  EXPECT_EQ(sample.out_rsts, 1u);
  EXPECT_EQ(sample.abort_failed, 0u);
  ExpectEqualToOracle(where);
}

TEST(NetstatCollector, CountsAResetThatARuleKeptFromLeaving) {
  const lab::Namespace where;
  where.Shell("nft 'add table ip t; add chain ip t out { type filter hook output priority 0; }'");
  where.Shell("nft add rule ip t out tcp flags rst drop");
  Pair pair(where);
  CloseWithDataUnread(pair);
  EXPECT_EQ(CollectNetstat(where).abort_failed, 1u);
  ExpectEqualToOracle(where);
}

TEST(NetstatCollector, CountsRetriesAndTheConnectionThatIsGivenUp) {
  const lab::Namespace where;
  Pair pair(where);
  where.Shell("nft 'add table ip t; add chain ip t in { type filter hook input priority 0; policy drop; }'");
  const unsigned patience_ms = 500;
  ASSERT_EQ(::setsockopt(pair.client.Get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof patience_ms), 0);
  ASSERT_EQ(::send(pair.client.Get(), "x", 1, 0), 1);
  ASSERT_TRUE(lab::Eventually([&] { return CollectNetstat(where).abort_on_timeout == 1u; }));
  const NetstatSample sample = CollectNetstat(where);
  EXPECT_GE(sample.retrans_segs, 1u);
  EXPECT_GE(sample.timeouts, 1u);
  ExpectEqualToOracle(where);
}

}  // namespace
}  // namespace finwait::sources
