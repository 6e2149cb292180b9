// What the program does when its surroundings fail: it goes on, says what it cannot see, sees it again as soon as it
// can, loses nothing that it counted, and ends when it is told to. docs/verification.md lists every fault and its test.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "tests/e2e/program.h"
#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"

namespace finwait::e2e {
namespace {

using lab::Connect;
using lab::Eventually;
using lab::Listener;
using lab::Namespace;
using lab::Wire;
using Series = std::map<std::string, double>;

constexpr const char* kFast = "--sampling.interval=1s";
constexpr rlim_t kNoMoreFiles = 3;  // what is open stays open; every new descriptor would be a larger one

// A limit of a running process, put back when this object goes.
class SoftLimit {
 public:
  SoftLimit(pid_t process, __rlimit_resource resource, rlim_t limit) : process_(process), resource_(resource) {
    if (::prlimit(process_, resource_, nullptr, &before_) != 0) {
      throw std::runtime_error("prlimit");
    }
    const rlimit lower = {limit, before_.rlim_max};
    ::prlimit(process_, resource_, &lower, nullptr);
  }
  ~SoftLimit() { ::prlimit(process_, resource_, &before_, nullptr); }
  SoftLimit(const SoftLimit&) = delete;
  SoftLimit& operator=(const SoftLimit&) = delete;

 private:
  pid_t process_;
  __rlimit_resource resource_;
  rlimit before_ = {};
};

// One thread of a running process, stopped where it opens a file the next time, until this object goes. To the process
// it looks as if the kernel did not answer. (Stopped while it waits for its next turn, it would hold up those who wake
// it, which is glibc's affair and no kernel's.)
class HungThread {
 public:
  HungThread(pid_t process, const std::string& name) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
      std::ifstream comm(entry.path() / "comm");
      std::string line;
      std::getline(comm, line);
      if (line == name) {
        thread_ = std::stoi(entry.path().filename());
      }
    }
    constexpr unsigned kOptions = PTRACE_O_TRACESYSGOOD;
    if (thread_ == 0 || ::ptrace(PTRACE_SEIZE, thread_, nullptr, kOptions) != 0 ||
        ::ptrace(PTRACE_INTERRUPT, thread_, nullptr, nullptr) != 0) {
      throw std::runtime_error("cannot trace the thread " + name);
    }
    __ptrace_syscall_info info = {};
    do {
      if (::waitpid(thread_, nullptr, __WALL) != thread_ ||
          ::ptrace(PTRACE_GET_SYSCALL_INFO, thread_, sizeof info, &info) <= 0) {
        throw std::runtime_error("cannot stop the thread " + name);
      }
    } while ((info.op != PTRACE_SYSCALL_INFO_ENTRY || info.entry.nr != SYS_openat) &&
             ::ptrace(PTRACE_SYSCALL, thread_, nullptr, nullptr) == 0);
  }
  ~HungThread() {
    if (!ended_) {
      ::ptrace(PTRACE_DETACH, thread_, nullptr, nullptr);
    }
  }
  HungThread(const HungThread&) = delete;
  HungThread& operator=(const HungThread&) = delete;

  /// Waits until the thread has ended, with its process; nobody else hears of either before.
  bool Ends() {
    ended_ = Eventually([this] { return ::waitpid(thread_, nullptr, __WALL | WNOHANG) == thread_; });
    return ended_;
  }

 private:
  pid_t thread_ = 0;
  bool ended_ = false;
};

// What RLIMIT_DATA counts, and a few pages of stack.
rlim_t DataSize(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/statm");
  rlim_t pages = 0;
  for (int field = 0; field < 6; ++field) {
    file >> pages;
  }
  return pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

// CPU time of all its threads, in nanoseconds.
std::uint64_t CpuTime(pid_t process) {
  std::uint64_t sum = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
    std::ifstream file(entry.path() / "schedstat");
    std::uint64_t spent = 0;
    file >> spent;
    sum += spent;
  }
  return sum;
}

bool AllSucceed(const Series& series) {
  std::size_t collectors = 0;
  for (const auto& [name, value] : series) {
    if (name.starts_with("finwait_collector_success{")) {
      ++collectors;
      if (value != 1) {
        return false;
      }
    }
  }
  return collectors > 0;
}

std::string Success(const std::string& collector) {
  return "finwait_collector_success{collector=\"" + collector + "\"}";
}

void ExpectNoCounterWentBack(const Series& before, const Series& after) {
  for (const auto& [name, value] : before) {
    if (name.substr(0, name.find('{')).ends_with("_total")) {
      const auto now = after.find(name);
      EXPECT_TRUE(now != after.end() && now->second >= value) << name;
    }
  }
}

// A host with a stuck socket, so that there is something to lose.
struct HostWithAStuckSocket {
  HostWithAStuckSocket() {
    wire.local.Shell("iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP");
    const Listener listener(wire.peer, Wire::kPeer4, 80);
    UniqueFd client = Connect(wire.local, Wire::kPeer4, 80);
    peer = listener.Accept();
    wire.local.Shell("conntrack -F 2>/dev/null");
  }
  static constexpr const char* kStuck = "finwait_tcp_sockets_stuck_total{state=\"fin_wait_1\",cause=\"local_drop\"}";
  Wire wire;
  UniqueFd peer;
};

TEST(FaultsTest, WithoutADescriptorLeftItSaysSoAndSeesAgainWhenThereAreSome) {
  const HostWithAStuckSocket host;
  Program program(host.wire.local, {kFast});
  ASSERT_TRUE(Eventually([&] { return program.Scrape()[HostWithAStuckSocket::kStuck] == 1; }, 20));
  const Series before = program.Scrape();
  const std::string failures = "finwait_collector_failures_total{collector=\"netstat\",reason=\"error\"}";
  {
    const SoftLimit none(program.ReaderPid(), RLIMIT_NOFILE, kNoMoreFiles);
    const auto says_so = [&] {
      const std::string log = program.Log();
      const std::size_t blind = log.find("collector=netstat");
      return blind != std::string::npos && log.find("Too many open files", blind) != std::string::npos &&
             program.Scrape()[failures] > 0;  // the line may be of another collector's failure
    };
    ASSERT_TRUE(Eventually(says_so, 20)) << program.Log();
  }
  ASSERT_TRUE(Eventually([&] { return AllSucceed(program.Scrape()); }, 20));
  const Series after = program.Scrape();
  ExpectNoCounterWentBack(before, after);
  EXPECT_EQ(after.at(HostWithAStuckSocket::kStuck), 1) << "what was counted is neither lost nor counted twice";
  EXPECT_GT(after.at(failures), 0);
  if (kSanitized) {
    return;  // LeakSanitizer looks at the end, and needs a descriptor for that
  }
  const SoftLimit none(program.Pid(), RLIMIT_NOFILE, kNoMoreFiles);
  const SoftLimit none_to_read(program.ReaderPid(), RLIMIT_NOFILE, kNoMoreFiles);
  EXPECT_EQ(program.Terminate(), 0);
}

TEST(FaultsTest, ACollectorThatRunsOutOfMemoryFailsAlone) {
  if (kSanitized) {
    GTEST_SKIP() << "a sanitizer ends the process where memory ends";
  }
  const Namespace host;
  host.Shell("iptables-legacy -A INPUT -j ACCEPT");  // or the family would not be read until a restart
  Program program(host, {kFast});
  const Series before = program.Scrape();
  std::string rules = "*filter\n";
  constexpr int kRules = 40'000;  // 6 MB as the kernel sends them
  for (int i = 0; i < kRules; ++i) {
    rules += "-A INPUT -j ACCEPT\n";
  }
  {
    const SoftLimit little(program.ReaderPid(), RLIMIT_DATA, DataSize(program.ReaderPid()) + (2U << 20));
    ASSERT_EQ(host.Command({"iptables-legacy-restore"}, rules + "COMMIT\n").exit_code, 0);
    ASSERT_TRUE(Eventually([&] { return program.Scrape()[Success("firewall")] == 0; }, 20));
    Series during = program.Scrape();
    EXPECT_EQ(during[Success("sockets")], 1);
    EXPECT_EQ(during[Success("sysctl")], 1);
    EXPECT_FALSE(during.contains("finwait_firewall_rules{backend=\"legacy\",family=\"ipv4\"}")) << "blind, not 0";
    EXPECT_NE(program.Log().find("more memory than this process may have"), std::string::npos) << program.Log();
  }
  ASSERT_TRUE(Eventually([&] { return AllSucceed(program.Scrape()); }, 20)) << program.Log();
  ExpectNoCounterWentBack(before, program.Scrape());
  EXPECT_EQ(program.Terminate(), 0);
}

TEST(FaultsTest, ACollectorThatHangsIsNamedWhileTheOthersGoOn) {
  const HostWithAStuckSocket host;
  Program program(host.wire.local, {kFast});
  HungThread hung(program.ReaderPid(), "netstat");
  Program::Response ready;
  ASSERT_TRUE(Eventually([&] { return (ready = program.Get("/readyz")).status == 503; }, 30));
  EXPECT_NE(ready.body.find("netstat"), std::string::npos) << ready.body;
  const double looked = program.Scrape()["finwait_collector_last_success_timestamp_seconds{collector=\"sockets\"}"];
  EXPECT_TRUE(Eventually([&] {
    return program.Scrape()["finwait_collector_last_success_timestamp_seconds{collector=\"sockets\"}"] > looked;
  }));
  EXPECT_EQ(program.Get("/healthz").status, 200);
  ::kill(program.Pid(), SIGTERM);
  EXPECT_TRUE(hung.Ends());
  EXPECT_EQ(program.Terminate(), 0);
}

TEST(FaultsTest, WhileTheReaderStandsStillItsDataIsAbsentAndThenThereAgain) {
  const HostWithAStuckSocket host;
  Program program(host.wire.local, {kFast});
  ASSERT_TRUE(Eventually([&] { return program.Scrape()[HostWithAStuckSocket::kStuck] == 1; }, 20));
  const Series before = program.Scrape();
  const pid_t reader = program.ReaderPid();
  ::kill(reader, SIGSTOP);
  EXPECT_TRUE(Eventually([&] { return program.Scrape()[Success("sockets")] == 0; }, 30));
  const Series during = program.Scrape();
  EXPECT_FALSE(during.contains("finwait_tcp_orphans{state=\"fin_wait_1\"}")) << "absent, not 0";
  EXPECT_EQ(program.Get("/healthz").status, 200);
  EXPECT_EQ(program.Get("/readyz").status, 503);
  ::kill(reader, SIGCONT);
  ASSERT_TRUE(Eventually([&] { return AllSucceed(program.Scrape()); }, 20)) << program.Log();
  const Series after = program.Scrape();
  ExpectNoCounterWentBack(before, after);
  EXPECT_GT(after.at("finwait_collector_failures_total{collector=\"sockets\",reason=\"timeout\"}"), 0);
  EXPECT_EQ(after.at(HostWithAStuckSocket::kStuck), 1) << "what was counted is neither lost nor counted twice";
  EXPECT_EQ(program.Terminate(), 0);
}

TEST(FaultsTest, WhenTheReaderEndsTheServerSaysSoGoesOnForAWhileAndEnds) {
  const Namespace host;
  Program program(host, {kFast});
  const Series before = program.Scrape();
  ::kill(program.ReaderPid(), SIGKILL);
  ASSERT_TRUE(Eventually([&] { return program.Scrape()[Success("sockets")] == 0; }));
  const Series during = program.Scrape();
  EXPECT_FALSE(during.contains("finwait_risk_score"));
  EXPECT_EQ(program.Get("/healthz").status, 200);
  EXPECT_NE(program.Log().find("has ended"), std::string::npos) << program.Log();
  EXPECT_NE(program.Log().find("signal=9"), std::string::npos) << program.Log();
  EXPECT_EQ(program.AwaitEnd(90), 1) << "so that whoever started it starts both again";
}

TEST(FaultsTest, TheReaderEndsWithTheServer) {
  const Namespace host;
  Program program(host, {kFast});
  const pid_t reader = program.ReaderPid();
  ::kill(program.Pid(), SIGKILL);
  EXPECT_EQ(program.AwaitEnd(10), 128 + SIGKILL);
  EXPECT_TRUE(Eventually([&] { return ::kill(reader, 0) != 0; }));
}

TEST(FaultsTest, ThePeersNamespaceAndTheDeviceMayGo) {
  auto host = std::make_unique<HostWithAStuckSocket>();
  Program program(host->wire.local, {kFast});
  ASSERT_TRUE(Eventually([&] { return program.Scrape()[HostWithAStuckSocket::kStuck] == 1; }, 20));
  const Series before = program.Scrape();
  host->wire.local.Shell("ip link delete veth0; ip link set lo down; ip link set lo up");
  const double looked = before.at("finwait_collector_last_success_timestamp_seconds{collector=\"tracking\"}");
  ASSERT_TRUE(Eventually(
      [&] {
        return program.Scrape()["finwait_collector_last_success_timestamp_seconds{collector=\"tracking\"}"] >
               looked + 2;
      },
      20));
  const Series after = program.Scrape();
  EXPECT_TRUE(AllSucceed(after));
  ExpectNoCounterWentBack(before, after);
  EXPECT_EQ(program.Terminate(), 0);
}

// Its namespace lives as long as something holds it: the program itself is enough.
TEST(FaultsTest, ItOutlivesEverythingElseThatHeldItsNamespace) {
  auto host = std::make_unique<Namespace>();
  Program program(*host, {kFast, "--web.listen-address=127.0.0.1:10061"});
  program.Scrape();
  host.reset();
  // Nobody can ask it from inside any more; it goes on until it is told to end.
  const std::uint64_t before = CpuTime(program.Pid());
  EXPECT_TRUE(Eventually([&] { return CpuTime(program.Pid()) > before; }, 20)) << program.Log();
  EXPECT_EQ(program.Terminate(), 0);
}

TEST(FaultsTest, ARestartIsVisibleAsOne) {
  const HostWithAStuckSocket host;
  std::optional<Program> program(std::in_place, host.wire.local, std::vector<std::string>{kFast});
  ASSERT_TRUE(Eventually([&] { return program->Scrape()[HostWithAStuckSocket::kStuck] == 1; }, 20));
  const Series before = program->Scrape();
  EXPECT_EQ(program->Terminate(), 0);
  program.emplace(host.wire.local, std::vector<std::string>{kFast});
  const Series after = program->Scrape();
  EXPECT_GT(after.at("process_start_time_seconds"), before.at("process_start_time_seconds"));
  // The kernel's own counters go on, ours begin anew: the socket that is still stuck is counted once more.
  EXPECT_GE(after.at("finwait_conntrack_invalid_total"), before.at("finwait_conntrack_invalid_total"));
  EXPECT_LE(after.at(HostWithAStuckSocket::kStuck), 1);
  EXPECT_TRUE(Eventually([&] { return program->Scrape()[HostWithAStuckSocket::kStuck] == 1; }, 20));
}

TEST(FaultsTest, TheEndIsInTimeWhateverIsHappening) {
  const HostWithAStuckSocket host;
  const Namespace& local = host.wire.local;
  for (const char* churn : {"while :; do conntrack -F; done",
                            "while :; do iptables -A OUTPUT -j ACCEPT; iptables -D OUTPUT -j ACCEPT; done",
                            "while :; do nft add table ip t; nft delete table ip t; done"}) {
    Program program(local, {kFast});
    const pid_t churning = local.Spawn({"setsid", "sh", "-c", std::string("exec >/dev/null 2>&1; ") + churn});
    const double looked = program.Scrape()["finwait_collector_last_success_timestamp_seconds{collector=\"sockets\"}"];
    EXPECT_TRUE(Eventually([&] {
      return program.Scrape()["finwait_collector_last_success_timestamp_seconds{collector=\"sockets\"}"] > looked;
    })) << churn;
    EXPECT_EQ(program.Terminate(), 0) << churn;
    ::kill(-churning, SIGKILL);
    ::kill(churning, SIGKILL);
    ::waitpid(churning, nullptr, 0);
  }
}

}  // namespace
}  // namespace finwait::e2e
