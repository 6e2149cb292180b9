// What code inside each process can do to the host: nothing. The code is tests/hostile/attack.cc.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/e2e/program.h"
#include "tests/lab/connection.h"
#include "tests/lab/paths.h"
#include "tests/lab/temporary_folder.h"

namespace finwait::e2e {
namespace {

using testing::HasSubstr;

std::size_t Count(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

// A program with the attack linked in, that runs it on the thread of that name once it has given up all that it will.
class Hostile {
 public:
  Hostile(const std::string& thread, const std::vector<std::string>& flags = {}) {
    where_.Shell(
        "nft add table ip t; iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP; "
        "conntrack -I -p tcp -s 198.51.100.1 -d 198.51.100.2 --sport 1 --dport 2 --state ESTABLISHED -t 1000");
    std::vector<std::string> command = {"env", "FINWAIT_ATTACK_IN=" + thread, lab::Program() + "_hostile"};
    command.insert(command.end(), flags.begin(), flags.end());
    pid_ = where_.Spawn(command, log_.PathOf("log"));
    if (!lab::Eventually([this] { return Log().find("attack: ends") != std::string::npos; }, 30)) {
      ADD_FAILURE() << "the attack does not end: " << Log();
    }
  }
  ~Hostile() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::string Log() const {
    std::ifstream file(log_.PathOf("log"));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  pid_t Pid() const { return pid_; }

  void ExpectHostAsItWas() const {
    EXPECT_THAT(where_.Shell("nft list tables"), HasSubstr("table ip t\n"));
    EXPECT_THAT(where_.Shell("conntrack -L 2>/dev/null"), HasSubstr("198.51.100.2"));
    EXPECT_THAT(where_.Shell("ip link show lo"), HasSubstr("LOOPBACK,UP"));
    EXPECT_EQ(where_.Shell("ip address show").find("192.0.2.99"), std::string::npos);
    EXPECT_EQ(where_.Command({"test", "-e", "/tmp/finwait_hostile"}).exit_code, 1);
  }

 private:
  lab::Namespace where_;
  lab::TemporaryFolder log_;
  pid_t pid_ = -1;
};

TEST(HostileTest, InTheReaderNothingIsAcknowledged) {
  if (kSanitized) {
    GTEST_SKIP() << "a sanitizer needs system calls of its own: the filter is off";
  }
  const Hostile hostile("netstat");
  EXPECT_EQ(Count(hostile.Log(), "ACKNOWLEDGED"), 0U) << hostile.Log();
  EXPECT_GE(Count(hostile.Log(), "refused, "), 50U) << hostile.Log();
  EXPECT_EQ(hostile.Log().find("not here"), std::string::npos) << "the headers are sealed: " << hostile.Log();
  hostile.ExpectHostAsItWas();
}

TEST(HostileTest, InTheServerNothingIsAcknowledged) {
  if (kSanitized) {
    GTEST_SKIP() << "a sanitizer needs system calls of its own: the filter is off";
  }
  const Hostile hostile("http-loop");
  EXPECT_EQ(Count(hostile.Log(), "ACKNOWLEDGED"), 0U) << hostile.Log();
  EXPECT_GE(Count(hostile.Log(), "refused, "), 50U) << hostile.Log();
  hostile.ExpectHostAsItWas();
}

// Without the filter the same code does what it says: the tests above can fail.
TEST(HostileTest, WithoutTheFilterTheKernelObeysTheReader) {
  const Hostile hostile("netstat", {"--no-sandbox.seccomp"});
  EXPECT_GT(Count(hostile.Log(), "ACKNOWLEDGED"), 7U) << hostile.Log();
}

// The server has no capability: the kernel refuses it even then.
TEST(HostileTest, WithoutTheFilterTheKernelStillRefusesTheServer) {
  const Hostile hostile("http-loop", {"--no-sandbox.seccomp"});
  for (const char* order : {"flush conntrack", "delete an nft table", "take lo down", "add an address", "bind NFLOG",
                            "bind NFQUEUE", "read /etc/shadow", "make a file"}) {
    EXPECT_EQ(hostile.Log().find(std::string(order) + " by sendto: ACKNOWLEDGED"), std::string::npos) << order;
    EXPECT_EQ(hostile.Log().find(std::string(order) + ": ACKNOWLEDGED"), std::string::npos) << order;
  }
  hostile.ExpectHostAsItWas();
}

}  // namespace
}  // namespace finwait::e2e
