#include "collectors/kernel/namespaces/proc_sockets.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "collectors/base/unique_fd.h"
#include "tests/lab/temporary_folder.h"

namespace finwait::kernel::namespaces {
namespace {

constexpr std::string_view kHeading =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
constexpr std::string_view kStuck =
    "   1: 010200C0:9C40 020200C0:0050 04 00000001:00000000 01:00000310 00000005     0        0 0 3 00000000cc7969d1 "
    "640 "
    "4 30 10 -1";
constexpr std::string_view kMapped =
    "   0: 0000000000000000FFFF0000010200C0:1F90 0000000000000000FFFF0000020200C0:D431 01 00000000:00000003 "
    "02:00000A00 "
    "00000000  1000        0 77 1 0000000000000000 20 4 30 10 -1";
constexpr std::string_view kIpv6 =
    "   0: B80D0120000000000000000001000000:1F90 B80D0120000000000000000002000000:D431 09 00000002:00000000 "
    "04:00000064 "
    "00000000     0        4 0 3 0000000000000000 20 4 30 10 -1";

TEST(ProcSocketsTest, ReadsAStuckOrphan) {
  const auto parsed = ParseProcSocket(kStuck, IpFamily::kIpv4);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->socket.local.Text(), "192.0.2.1:40000");
  EXPECT_EQ(parsed->socket.peer.Text(), "192.0.2.2:80");
  EXPECT_EQ(parsed->socket.state, TcpState::kFinWait1);
  EXPECT_EQ(parsed->socket.timer, SocketTimer::kRetransmit);
  EXPECT_EQ(parsed->socket.tries, 5U);
  EXPECT_EQ(parsed->socket.timer_expires, std::chrono::milliseconds(7840));
  EXPECT_TRUE(parsed->socket.orphan);
  EXPECT_TRUE(parsed->socket.has_queued);
  // 6.4 s now, so 0.2 s at first: 0.2 + 0.4 + 0.8 + 1.6 + 3.2 s
  EXPECT_EQ(parsed->socket.minimum_age, std::chrono::milliseconds(6200));
}

TEST(ProcSocketsTest, AMappedAddressIsOneOfIpv4) {
  const auto parsed = ParseProcSocket(kMapped, IpFamily::kIpv6);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->socket.local.Text(), "192.0.2.1:8080");
  EXPECT_EQ(parsed->socket.uid, 1000U);
  EXPECT_FALSE(parsed->socket.has_queued);
  EXPECT_EQ(parsed->inode, 77U);
  EXPECT_FALSE(parsed->socket.orphan);
  EXPECT_EQ(parsed->socket.KeepaliveDue(), std::chrono::milliseconds(25600));
  EXPECT_EQ(parsed->unread, 3U);
}

TEST(ProcSocketsTest, CountsTheProbesOfAFinThatNeverLeft) {
  const auto parsed = ParseProcSocket(kIpv6, IpFamily::kIpv6);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->socket.local.Text(), "[2001:db8::1]:8080");
  EXPECT_EQ(parsed->socket.state, TcpState::kLastAck);
  EXPECT_EQ(parsed->socket.timer, SocketTimer::kProbe);
  EXPECT_EQ(parsed->socket.tries, 4U);
  EXPECT_FALSE(parsed->socket.send_window) << "procfs does not tell";
}

TEST(ProcSocketsTest, EveryShorterAndEveryDamagedLineIsNoSocket) {
  for (std::size_t size = 0; size < 100; ++size) {
    (void)ParseProcSocket(kStuck.substr(0, size), IpFamily::kIpv4);
  }
  EXPECT_FALSE(ParseProcSocket(kStuck.substr(0, 60), IpFamily::kIpv4));
  for (std::size_t at = 0; at < kStuck.size(); ++at) {
    std::string damaged(kStuck);
    damaged[at] = '\xff';
    (void)ParseProcSocket(damaged, IpFamily::kIpv4);
  }
  EXPECT_FALSE(ParseProcSocket(kStuck, IpFamily::kIpv6));
  EXPECT_FALSE(ParseProcSocket(kHeading, IpFamily::kIpv4));
}

Result<std::size_t> Count(const std::string& content) {
  const lab::TemporaryFolder folder;
  const UniqueFd file(::open(folder.Write("tcp", content).c_str(), O_RDONLY | O_CLOEXEC));
  std::size_t count = 0;
  auto read = ReadProcSockets(file.Get(), IpFamily::kIpv4, Deadline::After(std::chrono::seconds(10)),
                              [&](const ProcSocket&) { ++count; });
  return read ? Result<std::size_t>(count) : Failure(read.error());
}

TEST(ProcSocketsTest, ReadsAFileOfAnySize) {
  std::string content = std::string(kHeading) + "\n";
  for (int i = 0; i < 2000; ++i) {
    content += std::string(kStuck) + "   \n";
  }
  EXPECT_EQ(Count(content).value(), 2000U);
  EXPECT_EQ(Count(std::string(kHeading) + "\n" + std::string(kStuck)).value(), 1U) << "without a last newline";
}

TEST(ProcSocketsTest, WhatIsNotTheKernelsIsAnError) {
  EXPECT_FALSE(Count(std::string(kHeading) + "\nnonsense\n"));
  EXPECT_FALSE(Count(std::string(10'000'000, 'x')));
  EXPECT_FALSE(Count(std::string(100'000, 'x') + "\n"));
}

}  // namespace
}  // namespace finwait::kernel::namespaces
