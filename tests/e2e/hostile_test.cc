// What code inside each process can do to the host: nothing. The code is tests/hostile/attack.cc.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "collectors/base/unique_fd.h"
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

// A Unix datagram socket that is bound to a path.
class DatagramSocket {
 public:
  explicit DatagramSocket(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(fd_.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ADD_FAILURE() << "bind " << path;
    }
  }
  // What has come; "" where nothing has.
  std::string Take() const {
    std::array<char, 64> text;
    const ssize_t got = ::recv(fd_.Get(), text.data(), text.size(), MSG_DONTWAIT);
    return got > 0 ? std::string(text.data(), static_cast<std::size_t>(got)) : "";
  }

 private:
  UniqueFd fd_;
};

// The processes that a process has started and that have not ended.
std::vector<pid_t> ChildrenOf(pid_t process) {
  const std::string number = std::to_string(process);
  std::ifstream file("/proc/" + number + "/task/" + number + "/children");
  return {std::istream_iterator<pid_t>(file), {}};
}

// A program with the attack linked in, that runs it on the thread of that name once it has given up all that it will,
// or ("exit") when it has done its work.
class Hostile {
 public:
  explicit Hostile(const std::string& thread, const std::vector<std::string>& flags = {}) {
    where_.Shell(
        "nft add table ip t; iptables-nft -A OUTPUT -m conntrack --ctstate INVALID -j DROP; "
        "conntrack -I -p tcp -s 198.51.100.1 -d 198.51.100.2 --sport 1 --dport 2 --state ESTABLISHED -t 1000; "
        "ipset create counted hash:ip counters; ipset add counted 192.0.2.1");
    std::vector<std::string> command = {"env", "FINWAIT_ATTACK_IN=" + thread,
                                        "FINWAIT_ATTACK_UNIX=" + folder_.PathOf("other"),
                                        "NOTIFY_SOCKET=" + folder_.PathOf("manager"), lab::Program() + "_hostile"};
    for (const std::string& flag : flags) {
      command.push_back(flag == kReport ? "--against=" + Report() : flag);
    }
    pid_ = where_.Spawn(command, folder_.PathOf("log"));
    if (!lab::Eventually([this] { return Log().find("attack: ends") != std::string::npos; }, 60)) {
      ADD_FAILURE() << "the attack does not end: " << Log();
    }
    children_ = ChildrenOf(pid_);
  }
  ~Hostile() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::string Log() const {
    std::ifstream file(folder_.PathOf("log"));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  pid_t Pid() const { return pid_; }
  // Of the service: its reader.
  const std::vector<pid_t>& Children() const { return children_; }

  void ExpectNothingAcknowledged() const {
    EXPECT_EQ(Count(Log(), "ACKNOWLEDGED"), 0U) << Log();
    EXPECT_GE(Count(Log(), "refused, "), 100U) << Log();
    ExpectHostAsItWas();
  }

  void ExpectHostAsItWas() const {
    EXPECT_THAT(where_.Shell("nft list tables"), HasSubstr("table ip t\n"));
    EXPECT_THAT(where_.Shell("conntrack -L 2>/dev/null"), HasSubstr("198.51.100.2"));
    EXPECT_THAT(where_.Shell("ip link show lo"), HasSubstr("LOOPBACK,UP"));
    EXPECT_EQ(where_.Shell("ip address show").find("192.0.2.99"), std::string::npos);
    EXPECT_THAT(where_.Shell("ipset list counted"), HasSubstr("192.0.2.1 packets 0 bytes 0"));
    EXPECT_EQ(where_.Shell("cat /proc/thread-self/net/ip_tables_names /proc/thread-self/net/ip6_tables_names"), "");
    EXPECT_EQ(where_.Command({"test", "-e", "/tmp/finwait_hostile"}).exit_code, 1);
    EXPECT_EQ(other_.Take(), "") << "only the service manager's socket can be written to";
  }

  // Every way to reach for that process has been tried.
  void ExpectTried(pid_t other) const {
    for (const char* way : {"trace", "attach to", "read the memory of", "write the memory of", "a handle of",
                            "a descriptor of", "signal", "signal a thread of", "read the limits of", "limit"}) {
      EXPECT_EQ(Count(Log(), std::string(way) + " process " + std::to_string(other) + ": "), 1U) << way << " " << other;
    }
    EXPECT_THAT(Log(), HasSubstr("open /proc/" + std::to_string(other) + "/mem to write: "));
  }

  static constexpr const char* kReport = "a report of this host";

 private:
  std::string Report() {
    const std::string path = folder_.PathOf("report");
    where_.Shell(lab::Program() + " check --format=json >" + path + " || true");
    return path;
  }

  lab::Namespace where_;
  lab::TemporaryFolder folder_;
  DatagramSocket other_{folder_.PathOf("other")};
  DatagramSocket manager_{folder_.PathOf("manager")};
  std::vector<pid_t> children_;
  pid_t pid_ = -1;
};

class HostileTest : public testing::Test {
 protected:
  void SetUp() override {
    if (kSanitized) {
      GTEST_SKIP() << "a sanitizer needs system calls of its own: the filter is off";
    }
  }
};

TEST_F(HostileTest, InTheReaderNothingIsAcknowledged) {
  const Hostile hostile("netstat");
  hostile.ExpectNothingAcknowledged();
  EXPECT_EQ(hostile.Log().find("not here"), std::string::npos) << "the headers are sealed: " << hostile.Log();
  hostile.ExpectTried(hostile.Pid());
}

TEST_F(HostileTest, InTheServerNothingIsAcknowledged) {
  const Hostile hostile("http-loop");
  hostile.ExpectNothingAcknowledged();
  ASSERT_EQ(hostile.Children().size(), 1U);
  hostile.ExpectTried(hostile.Children().front());
}

TEST_F(HostileTest, InCheckNothingIsAcknowledged) {
  const Hostile hostile("exit", {"check"});
  hostile.ExpectNothingAcknowledged();
  EXPECT_EQ(hostile.Log().find("not here"), std::string::npos) << "the headers are sealed: " << hostile.Log();
}

TEST_F(HostileTest, InExplainNothingIsAcknowledged) {
  const Hostile hostile("exit", {"explain", "192.0.2.1:40000", "192.0.2.2:443"});
  hostile.ExpectNothingAcknowledged();
  EXPECT_EQ(hostile.Log().find("not here"), std::string::npos) << "the headers are sealed: " << hostile.Log();
}

TEST_F(HostileTest, InPlanNothingIsAcknowledged) {
  const Hostile hostile("exit", {"plan", Hostile::kReport});
  hostile.ExpectNothingAcknowledged();
  EXPECT_EQ(hostile.Log().find("not here"), std::string::npos) << "the headers are sealed: " << hostile.Log();
}

TEST_F(HostileTest, InPairsNothingIsAcknowledged) {
  const lab::TemporaryFolder folder;
  const std::string key = folder.Write("key", "a secret that nobody else has\n");
  const Hostile hostile("exit", {"pairs", "--key-file=" + key, "127.0.0.1"});
  hostile.ExpectNothingAcknowledged();
  EXPECT_THAT(hostile.Log(), HasSubstr("attack: read /etc/shadow: refused, EACCES"));
}

// Landlock binds no thread that is older; so there must be none.
TEST_F(HostileTest, AThreadFromBeforeTheProgramReadsNoOtherFiles) {
  const lab::Namespace where;
  const lab::TemporaryFolder folder;
  const pid_t pid = where.Spawn(
      {"env", "LD_PRELOAD=" + lab::Program().substr(0, lab::Program().rfind('/')) + "/finwait_early_thread.so",
       lab::Program()},
      folder.PathOf("log"));
  const auto log = [&folder] {
    std::ifstream file(folder.PathOf("log"));
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  EXPECT_TRUE(lab::Eventually([&] { return log().find("early thread: EACCES /etc/passwd") != std::string::npos; }, 30))
      << log();
  EXPECT_TRUE(lab::Eventually(
      [&] {
        return where.Command({"curl", "-s", "http://127.0.0.1:10061/metrics"})
                   .out.find("finwait_exporter_sandbox{layer=\"landlock\"} 1") != std::string::npos;
      },
      30));
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

// Without the filter the same code does what it says: the tests above can fail.
TEST_F(HostileTest, WithoutTheFilterTheKernelObeysTheReader) {
  const Hostile hostile("netstat", {"--no-sandbox.seccomp"});
  for (const char* done :
       {"flush conntrack by sendto", "flush conntrack by sendmsg", "flush conntrack by sendmmsg",
        "flush conntrack by write", "flush conntrack by writev", "flush conntrack by write to standard output",
        "flush conntrack by pwritev2", "flush conntrack by sendfile", "flush conntrack by splice",
        "flush expectations by sendto", "delete an nft table by sendto", "take lo down by sendto",
        "add an address by sendto", "bind NFLOG by sendto", "bind NFQUEUE by sendto", "count in an ipset by sendto",
        "make the table filter", "make the table nat of IPv6", "have a gibibyte of the kernel's memory"}) {
    EXPECT_THAT(hostile.Log(), HasSubstr(std::string(done) + ": ACKNOWLEDGED"));
  }
}

// The server has no capability: the kernel refuses it even then. Nor can it reach the reader.
TEST_F(HostileTest, WithoutTheFilterTheKernelStillRefusesTheServer) {
  const Hostile hostile("http-loop", {"--no-sandbox.seccomp"});
  for (const char* order : {"flush conntrack", "delete an nft table", "take lo down", "add an address", "bind NFLOG",
                            "bind NFQUEUE", "count in an ipset"}) {
    EXPECT_EQ(hostile.Log().find(std::string(order) + " by sendto: ACKNOWLEDGED"), std::string::npos) << order;
  }
  ASSERT_EQ(hostile.Children().size(), 1U);
  const std::string reader = std::to_string(hostile.Children().front());
  for (const std::string& attempt : {std::string("read /etc/shadow"), std::string("make a file"),
                                     "trace process " + reader, "read the memory of process " + reader,
                                     "write the memory of process " + reader, "open /proc/" + reader + "/mem"}) {
    EXPECT_EQ(hostile.Log().find(attempt + ": ACKNOWLEDGED"), std::string::npos) << attempt;
  }
}

}  // namespace
}  // namespace finwait::e2e
