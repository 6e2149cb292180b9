#include "collectors/kernel/namespaces/opener.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "collectors/kernel/namespaces/entered_host.h"
#include "collectors/kernel/netlink/channel.h"
#include "collectors/kernel/socket_dump.h"
#include "collectors/kernel/socket_pass.h"
#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"

namespace finwait::kernel::namespaces {
namespace {

using testing::HasSubstr;

// A real opener, and a namespace with a process and a connection, which it is asked to enter.
class OpenerTest : public testing::Test {
 protected:
  OpenerTest() : inhabitant_(wire_.local.Spawn({"sleep", "60"})) {
    auto ends = MakeOpenerChannel();
    opener_pid_ = ::fork();
    if (opener_pid_ == 0) {
      ends->first.Reset();
      RunOpener(ends->second.Get(), ::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
      ::_exit(0);
    }
    ends->second.Reset();
    raw_ = ends->first.Get();
    opener_ = std::make_shared<Opener>(std::move(ends->first));
    const std::string process = "/proc/" + std::to_string(inhabitant_);
    EXPECT_TRUE(lab::Eventually([&] { return std::filesystem::equivalent(process + "/ns/net", wire_.local.Path()); }));
    struct stat list = {};
    EXPECT_EQ(::stat((process + "/net/tcp").c_str(), &list), 0);
    entered_ = {list.st_ino, static_cast<std::uint32_t>(inhabitant_)};
  }
  ~OpenerTest() override {
    for (const pid_t process : {opener_pid_, inhabitant_}) {
      ::kill(process, SIGKILL);
      ::waitpid(process, nullptr, 0);
    }
  }
  OpenRequest Request(Opened what) const {
    OpenRequest request;
    request.process = entered_.process;
    request.inode = entered_.inode;
    request.what = what;
    request.family = AF_INET;
    return request;
  }
  // Asks for something that is there.
  bool Answers() { return opener_->Open(Request(Opened::kRouting)).has_value(); }

  const lab::Wire wire_;
  pid_t inhabitant_;
  pid_t opener_pid_ = -1;
  int raw_ = -1;
  std::shared_ptr<Opener> opener_;
  EnteredNamespace entered_;
};

TEST_F(OpenerTest, SocketsAreReadInsideWithIdleTimes) {
  const lab::Listener listener(wire_.peer, lab::Wire::kPeer4, 80);
  const UniqueFd client = lab::Connect(wire_.local, lab::Wire::kPeer4, 80);
  const UniqueFd server = listener.Accept();
  const auto own = OpenHost("/proc");
  ASSERT_TRUE(own);
  const auto entrance = std::make_shared<const Entrance>(Entrance{opener_, nullptr});
  const Host host = HostOf(*own, entrance, entered_);
  std::vector<TcpSocket> sockets;
  const auto tally =
      ReadSockets(host, kAllSocketStates, kWithTcpInfo, Deadline::After(std::chrono::seconds(5)), Into(sockets, 10));
  ASSERT_TRUE(tally) << tally.error().message;
  ASSERT_EQ(sockets.size(), 1U);
  EXPECT_EQ(sockets[0].peer.Text(), "192.0.2.2:80");
  EXPECT_TRUE(sockets[0].idle.has_value());
  EXPECT_NE(sockets[0].cookie, 0U);
}

TEST_F(OpenerTest, ASettingIsThatNamespacesOwn) {
  wire_.local.Sysctl("net.netfilter.nf_conntrack_tcp_loose", "0");
  EXPECT_EQ(ReadTcpLoose(*opener_, entered_), false);
  wire_.local.Sysctl("net.netfilter.nf_conntrack_tcp_loose", "1");
  EXPECT_EQ(ReadTcpLoose(*opener_, entered_), true);
}

TEST_F(OpenerTest, AnyOtherNamespaceThanTheOneNamedIsRefused) {
  OpenRequest other = Request(Opened::kRouting);
  ++other.inode;
  const auto refused = opener_->Open(other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().errno_code, ESTALE);
  OpenRequest gone = Request(Opened::kRouting);
  gone.process = 4'194'303;
  EXPECT_EQ(opener_->Open(gone).error().errno_code, ENOENT);
  EXPECT_TRUE(Answers());
}

TEST_F(OpenerTest, AFloodOfWhatIsNoRequestEndsNothing) {
  for (int i = 0; i < 2000; ++i) {
    OpenRequest request = Request(static_cast<Opened>(i % 256));
    request.zero = 1;
    const std::size_t size = i % 2 == 0 ? sizeof request : static_cast<std::size_t>(1 + i % 31);
    ASSERT_EQ(::send(raw_, &request, size, MSG_NOSIGNAL), static_cast<ssize_t>(size));
    OpenAnswer answer;
    ASSERT_EQ(::recv(raw_, &answer, sizeof answer, 0), static_cast<ssize_t>(sizeof answer));
    ASSERT_EQ(answer.error, EBADMSG);
  }
  EXPECT_TRUE(Answers());
}

TEST_F(OpenerTest, OneThatIsGoneIsSaidAndAskedNoMore) {
  EXPECT_TRUE(Answers());
  ::kill(opener_pid_, SIGKILL);
  EXPECT_TRUE(lab::Eventually([&] { return !Answers(); }));
  EXPECT_TRUE(opener_->WhyGone());
  EXPECT_THAT(opener_->Open(Request(Opened::kRouting)).error().message, HasSubstr("has ended"));
}

TEST_F(OpenerTest, WithoutADescriptorLeftTheNextOneWorks) {
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest = ::dup(0);
  ::close(lowest);
  const rlimit none = {static_cast<rlim_t>(lowest), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto refused = opener_->Open(Request(Opened::kRouting));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().errno_code, EMFILE);
  EXPECT_TRUE(Answers());

  rlimit of_opener = {};
  ASSERT_EQ(::prlimit(opener_pid_, RLIMIT_NOFILE, nullptr, &of_opener), 0);
  const rlimit taken = {3, of_opener.rlim_max};
  ASSERT_EQ(::prlimit(opener_pid_, RLIMIT_NOFILE, &taken, nullptr), 0);
  const auto without = opener_->Open(Request(Opened::kRouting));
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().errno_code, EMFILE);
  ASSERT_EQ(::prlimit(opener_pid_, RLIMIT_NOFILE, &of_opener, nullptr), 0);
  EXPECT_TRUE(Answers());
}

}  // namespace
}  // namespace finwait::kernel::namespaces
