// What a process in the sandbox can do no more. Each test enters it in a child process, as there is no way back.

#include "exporter/privilege/sandbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Before the kernel's own headers, which then leave out what both define.
#include <netinet/in.h>

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include "exporter/privilege/allowed_calls.h"
#include "exporter/privilege/call_filter.h"
#include "exporter/privilege/refused_calls.h"

namespace finwait::privilege {
namespace {

using testing::HasSubstr;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SKIP_WITH_A_SANITIZER() GTEST_SKIP() << "a sanitizer needs system calls of its own: the filter is off"
#else
#define SKIP_WITH_A_SANITIZER() (void)0
#endif

// How a child process ended, and what it wrote.
struct Child {
  int status = 0;
  std::string said;
  bool Exited(int code) const { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
  bool WasKilledBy(int signal) const { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }
};

// Runs `action` in a child process, which returns what it has to say.
Child ChildThat(const std::function<std::string()>& action) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const std::string said = action();
    const bool written = ::write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size());
    ::_exit(written ? 0 : 1);
  }
  ::close(ends[1]);
  Child child;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    child.said.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  EXPECT_EQ(::waitpid(pid, &child.status, 0), pid);
  return child;
}

Child InSandbox(const std::function<std::string()>& action, Role role = Role::kReader) {
  return ChildThat([&] {
    const auto given_up = GiveUpPrivileges({});
    const auto unfiltered_because = FilterCalls(true, {role});
    if (!given_up || unfiltered_because) {
      return "no sandbox: " + (given_up ? *unfiltered_because : given_up.error().message);
    }
    return action();
  });
}

// A system call with its arguments, whether it is refused, and by which name it is counted.
struct Attempt {
  const char* what;
  const char* call;
  std::function<long()> make;
};

// "" when every attempt is refused and counted under its name, and the thread goes on; else what was not.
std::string NotRefused(const std::vector<Attempt>& attempts) {
  std::string wrong;
  std::map<std::string, std::uint64_t> expected;
  for (const Attempt& attempt : attempts) {
    errno = 0;
    const long result = attempt.make();
    if (result != -1 || errno != ENOSYS) {
      wrong +=
          std::string(attempt.what) + " gave " + std::to_string(result) + " and errno " + std::to_string(errno) + "; ";
    }
    ++expected[attempt.call];
  }
  std::map<std::string, std::uint64_t> counted;
  for (const RefusedCall& call : RefusedCalls()) {
    counted[CallName(call.number)] = call.times;
  }
  if (counted != expected) {
    wrong += "counted: " + DescribeRefusedCalls();
  }
  return wrong;
}

long SetOption(int fd, int level, int option, std::size_t size = sizeof(int)) {
  std::vector<char> value(size);
  return ::setsockopt(fd, level, option, value.data(), static_cast<socklen_t>(size));
}

TEST(Sandbox, RefusesWhatStartsProgramsOrChangesProcesses) {
  SKIP_WITH_A_SANITIZER();
  const pid_t parent = ::getpid();
  const Child child = InSandbox([parent] {
    char* const no_arguments[] = {nullptr};
    const rlimit limit = {1, 1};
    return NotRefused({
        {"execve", "execve", [&] { return ::execve("/bin/true", no_arguments, no_arguments); }},
        {"execveat", "execveat", [&] { return ::syscall(SYS_execveat, AT_FDCWD, "/bin/true", nullptr, nullptr, 0); }},
        {"fork", "clone", [] { return ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr); }},
        {"a new namespace", "clone",
         [] { return ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr); }},
        {"a thread in a new namespace", "clone",
         [] {
           return ::syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_NEWNET, nullptr, nullptr,
                            nullptr, nullptr);
         }},
        {"another process's limits", "prlimit64",
         [&] {
           rlimit of_parent = {};
           return ::syscall(SYS_prlimit64, parent, RLIMIT_NOFILE, nullptr, &of_parent);
         }},
        {"unshare", "unshare", [] { return long{::unshare(CLONE_NEWNET)}; }},
        {"setns", "setns", [] { return long{::setns(0, 0)}; }},
        {"ptrace", "ptrace", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }},
        {"process_vm_readv", "process_vm_readv",
         [&] { return ::syscall(SYS_process_vm_readv, parent, nullptr, 0, nullptr, 0, 0); }},
        {"kill", "kill", [] { return long{::kill(::getpid(), 0)}; }},
        {"a signal to another process", "tgkill", [&] { return ::syscall(SYS_tgkill, parent, parent, SIGTERM); }},
        {"setuid", "setuid", [] { return ::syscall(SYS_setuid, 0); }},
        {"capset", "capset", [] { return ::syscall(SYS_capset, nullptr, nullptr); }},
        {"prctl of anything but its name", "prctl", [] { return long{::prctl(PR_SET_DUMPABLE, 1)}; }},
        {"a new resource limit", "prlimit64",
         [&] { return ::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, nullptr); }},
        {"seccomp", "seccomp", [] { return ::syscall(SYS_seccomp, 0, 0, nullptr); }},
    });
  });
  EXPECT_EQ(child.said, "");
  EXPECT_TRUE(child.Exited(0)) << child.status;
}

TEST(Sandbox, RefusesToWriteFilesAndToRunNewCode) {
  SKIP_WITH_A_SANITIZER();
  const Child child = InSandbox([] {
    const auto open = [](int flags) { return [flags] { return long{::open("/dev/null", flags, 0600)}; }; };
    void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return NotRefused({
        {"open for writing", "openat", open(O_WRONLY)},
        {"open for both", "openat", open(O_RDWR)},
        {"open to create", "openat", open(O_RDONLY | O_CREAT)},
        {"open to truncate", "openat", open(O_RDONLY | O_TRUNC)},
        {"open without a name", "openat", [] { return long{::open("/tmp", O_TMPFILE | O_WRONLY, 0600)}; }},
        {"openat2", "openat2", [] { return ::syscall(SYS_openat2, AT_FDCWD, "/dev/null", nullptr, 0); }},
        {"mmap to execute", "mmap",
         [] { return ::syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }},
        {"mprotect to execute", "mprotect", [&] { return long{::mprotect(page, 4096, PROT_READ | PROT_EXEC)}; }},
        {"memfd_create", "memfd_create", [] { return ::syscall(SYS_memfd_create, "x", 0); }},
        {"unlink", "unlinkat", [] { return ::syscall(SYS_unlinkat, AT_FDCWD, "/nowhere/x", 0); }},
        {"mkdir", "mkdirat", [] { return ::syscall(SYS_mkdirat, AT_FDCWD, "/nowhere/x", 0700); }},
        {"rename", "renameat2",
         [] { return ::syscall(SYS_renameat2, AT_FDCWD, "/nowhere/x", AT_FDCWD, "/nowhere/y", 0); }},
        {"chmod", "fchmodat", [] { return ::syscall(SYS_fchmodat, AT_FDCWD, "/nowhere/x", 0700); }},
        {"mount", "mount", [] { return ::syscall(SYS_mount, "x", "/nowhere", "tmpfs", 0, nullptr); }},
        {"a kernel module", "finit_module", [] { return ::syscall(SYS_finit_module, -1, "", 0); }},
        {"bpf", "bpf", [] { return ::syscall(SYS_bpf, 0, nullptr, 0); }},
        {"io_uring, a second way to make every call", "io_uring_setup",
         [] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }},
    });
  });
  EXPECT_EQ(child.said, "");
  EXPECT_TRUE(child.Exited(0)) << child.status;
}

TEST(Sandbox, RefusesSocketsAndOptionsBeyondItsOwnQuestions) {
  SKIP_WITH_A_SANITIZER();
  const Child child = InSandbox([] {
    const int tcp = ::socket(AF_INET, SOCK_STREAM, 0);
    const int netlink = ::socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
    const auto socket = [](int family, int type, int protocol) {
      return [=] { return long{::socket(family, type, protocol)}; };
    };
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    ifreq interface = {};
    if (tcp < 0 || netlink < 0) {
      return std::string("its own sockets are refused");
    }
    return NotRefused({
        {"a packet socket", "socket", socket(AF_PACKET, SOCK_RAW, 0)},
        {"a raw socket", "socket", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)},
        {"a UDP socket", "socket", socket(AF_INET, SOCK_DGRAM, 0)},
        {"a UDP socket of IPv6", "socket", socket(AF_INET6, SOCK_DGRAM, 0)},
        {"a Unix stream", "socket", socket(AF_UNIX, SOCK_STREAM, 0)},
        {"a Unix datagram socket", "socket", socket(AF_UNIX, SOCK_DGRAM, 0)},
        {"another netlink protocol", "socket", socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)},
        {"the audit log", "socket", socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT)},
        {"a pair of sockets", "socketpair", [] { return ::syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, nullptr); }},
        {"connect", "connect", [&] { return long{::connect(tcp, generic, sizeof address)}; }},
        {"connect by sending", "sendto", [&] { return ::sendto(tcp, "x", 1, MSG_FASTOPEN, generic, sizeof address); }},
        {"bind to an IP address", "bind", [&] { return long{::bind(tcp, generic, sizeof address)}; }},
        {"listen", "listen", [&] { return long{::listen(tcp, 1)}; }},
        {"replacing legacy rules", "setsockopt", [&] { return SetOption(tcp, IPPROTO_IP, IPT_SO_SET_REPLACE, 1024); }},
        {"replacing legacy counters", "setsockopt",
         [&] { return SetOption(tcp, IPPROTO_IP, IPT_SO_SET_ADD_COUNTERS, 1024); }},
        {"the same of IPv6", "setsockopt", [&] { return SetOption(tcp, IPPROTO_IPV6, IPT_SO_SET_REPLACE, 1024); }},
        {"a device of its own", "setsockopt", [&] { return SetOption(tcp, SOL_SOCKET, SO_BINDTODEVICE); }},
        {"marks", "setsockopt", [&] { return SetOption(tcp, SOL_SOCKET, SO_MARK); }},
        {"the rules of a match's revision, which loads its module", "getsockopt",
         [&] {
           char value[64] = {};
           socklen_t size = sizeof value;
           return long{::getsockopt(tcp, IPPROTO_IP, IPT_SO_GET_REVISION_MATCH, value, &size)};
         }},
        {"taking a network device down", "ioctl", [&] { return long{::ioctl(tcp, SIOCSIFFLAGS, &interface)}; }},
    });
  });
  EXPECT_EQ(child.said, "");
  EXPECT_TRUE(child.Exited(0)) << child.status;
}

// Not a list of forbidden calls, which somebody would have to keep up to date, but everything that is not allowed.
std::string CallsNotRefused(Role role) {
  // The kernel's own probes make these two, from a page of theirs: a filter is not asked, and elsewhere they are
  // SIGILL.
  std::set<std::string> listed = {"tgkill", "clone3", "uretprobe", "uprobe", "system call 335", "system call 336"};
  for (const AllowedCall& call : AllowedCalls({role})) {
    listed.insert(call.name);
  }
  std::string wrong;
  std::uint64_t refused = 0;
  for (int number = 0; number < 600; ++number) {
    const std::string name = CallName(number);
    if (listed.contains(name)) {
      continue;
    }
    errno = 0;
    if (::syscall(number, -1, -1, -1, -1, -1, -1) != -1 || errno != ENOSYS || RefusedCallTotal() != ++refused) {
      wrong += name + " ";
    }
  }
  return wrong;
}

TEST(Sandbox, RefusesEveryCallThatIsNotListed) {
  SKIP_WITH_A_SANITIZER();
  for (const Role role : {Role::kReader, Role::kServer}) {
    const Child child = InSandbox([role] { return CallsNotRefused(role); }, role);
    EXPECT_EQ(child.said, "");
    EXPECT_TRUE(child.Exited(0)) << child.status;
  }
}

TEST(Sandbox, TheServerMakesNoSocketAndAsksNoneOfTheKernel) {
  SKIP_WITH_A_SANITIZER();
  const Child child = InSandbox(
      [] {
        const auto socket = [](int family, int type, int protocol) {
          return [=] { return long{::socket(family, type, protocol)}; };
        };
        char value[64] = {};
        socklen_t size = sizeof value;
        sockaddr_nl address = {};
        address.nl_family = AF_NETLINK;
        return NotRefused({
            {"netfilter", "socket", socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER)},
            {"routes", "socket", socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)},
            {"sockets", "socket", socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG)},
            {"TCP", "socket", socket(AF_INET, SOCK_STREAM, 0)},
            {"bind", "bind",
             [&] { return long{::bind(0, reinterpret_cast<const sockaddr*>(&address), sizeof address)}; }},
            {"legacy rules", "getsockopt",
             [&] { return long{::getsockopt(0, IPPROTO_IP, IPT_SO_GET_INFO, value, &size)}; }},
            {"a subscription", "setsockopt", [] { return SetOption(0, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP); }},
            {"sending to an address", "sendto",
             [&] { return ::sendto(0, "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address); }},
            {"sending what may hold an address", "sendmsg", [] { return long{::sendmsg(0, nullptr, 0)}; }},
            {"descriptors from elsewhere", "recvmsg", [] { return long{::recvmsg(0, nullptr, 0)}; }},
        });
      },
      Role::kServer);
  EXPECT_EQ(child.said, "");
  EXPECT_TRUE(child.Exited(0)) << child.status;
}

// To ask for a table that is not there makes it. That this fails is expected, and nobody's fault.
TEST(Sandbox, WhatWalksTheTableRunsProgramsThatAreLoadedAndLoadsNone) {
  SKIP_WITH_A_SANITIZER();
  const Child child = InSandbox(
      []() -> std::string {
        const auto bpf = [](int command) {
          return [command] {
            bpf_attr attributes = {};
            attributes.test.prog_fd = ~0U;
            return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
          };
        };
        for (const int command : {BPF_PROG_TEST_RUN, BPF_RAW_TRACEPOINT_OPEN}) {
          if (bpf(command)() != -1 || errno == ENOSYS) {
            return "refused: bpf " + std::to_string(command);
          }
        }
        return NotRefused({
            {"a program", "bpf", bpf(BPF_PROG_LOAD)},
            {"a map", "bpf", bpf(BPF_MAP_CREATE)},
            {"what is in a map", "bpf", bpf(BPF_MAP_LOOKUP_ELEM)},
            {"somebody's program", "bpf", bpf(BPF_PROG_GET_FD_BY_ID)},
            {"a link", "bpf", bpf(BPF_LINK_CREATE)},
            {"a socket", "socket", [] { return long{::socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER)}; }},
        });
      },
      Role::kTableWalker);
  EXPECT_EQ(child.said, "");
  EXPECT_TRUE(child.Exited(0)) << child.status;
}

TEST(Sandbox, TheReaderAsksForNoTableOfAFamilyThatHasNone) {
  SKIP_WITH_A_SANITIZER();
  for (const bool has_ipv4 : {false, true}) {
    const Child child = ChildThat([has_ipv4]() -> std::string {
      if (FilterCalls(true, {.role = Role::kReader, .ipv4_tables = has_ipv4, .ipv6_tables = false})) {
        return "unfiltered";
      }
      char value[84] = {};
      socklen_t size = sizeof value;
      errno = 0;
      const bool ipv4 = ::socket(AF_INET, SOCK_STREAM, 0) >= 0;
      const bool ipv6 = ::socket(AF_INET6, SOCK_STREAM, 0) >= 0;
      for (const int option : {IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES}) {
        if (::getsockopt(0, IPPROTO_IPV6, option, value, &size) == 0 || errno != ENOSYS) {
          return "IPv6 is asked";
        }
      }
      return ipv4 == has_ipv4 && !ipv6 ? DescribeRefusedCalls() : "other sockets than expected";
    });
    EXPECT_EQ(child.said, "") << has_ipv4;
    EXPECT_TRUE(child.Exited(0)) << child.status;
  }
}

TEST(Sandbox, TheReaderHearsNobody) {
  SKIP_WITH_A_SANITIZER();
  const Child child = InSandbox([] {
    return NotRefused({
        {"accept", "accept4", [] { return long{::accept4(0, nullptr, nullptr, 0)}; }},
        {"sendmsg", "sendmsg", [] { return long{::sendmsg(0, nullptr, 0)}; }},
        {"epoll", "epoll_create1", [] { return ::syscall(SYS_epoll_create1, 0); }},
        {"waiting for a process", "wait4", [] { return ::syscall(SYS_wait4, -1, nullptr, WNOHANG, nullptr); }},
    });
  });
  EXPECT_EQ(child.said, "");
  EXPECT_TRUE(child.Exited(0)) << child.status;
}

TEST(Sandbox, LeavesWhatTheProgramDoes) {
  SKIP_WITH_A_SANITIZER();
  const Child child = InSandbox([]() -> std::string {
    std::ifstream file("/proc/self/status");
    std::stringstream status;
    status << file.rdbuf();
    bool ran = false;
    std::thread([&ran] { ran = true; }).join();
    std::size_t listed = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      listed += entry.exists() ? 1 : 0;
    }
    int size = 4096;
    const int netlink = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
    const bool buffer = ::setsockopt(netlink, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0;
    const std::string text = status.str();
    if (!ran || listed < 4 || !buffer || text.find("\nSeccomp:\t2\n") == std::string::npos ||
        text.find("\nNoNewPrivs:\t1\n") == std::string::npos) {
      return "something is missing: " + text;
    }
    return DescribeRefusedCalls();
  });
  EXPECT_EQ(child.said, "");
  EXPECT_TRUE(child.Exited(0)) << child.status;
}

TEST(Sandbox, HoldsForThreadsThatRanBefore) {
  SKIP_WITH_A_SANITIZER();
  const Child child = ChildThat([] {
    std::atomic<bool> entered = false;
    long result = 0;
    std::thread before([&] {
      entered.wait(false);
      result = ::syscall(SYS_ptrace, PTRACE_TRACEME, 0, nullptr, nullptr);
    });
    const auto unfiltered_because = FilterCalls(true, {Role::kReader});
    entered = true;
    entered.notify_all();
    before.join();
    return !unfiltered_because && result == -1 ? DescribeRefusedCalls() : "it could";
  });
  EXPECT_EQ(child.said, "ptrace 1 time");
}

// abort's own signal must get through, or a program that finds itself broken would go on.
TEST(Sandbox, LetsTheProgramAbort) {
  SKIP_WITH_A_SANITIZER();
  const Child child = InSandbox([]() -> std::string { std::abort(); });
  EXPECT_TRUE(child.WasKilledBy(SIGABRT)) << child.status << child.said;
}

TEST(Sandbox, TakesASignalFromElsewhereForNoRefusedCall) {
  SKIP_WITH_A_SANITIZER();
  const Child child = InSandbox([] {
    ::raise(SIGSYS);
    return DescribeRefusedCalls();
  });
  EXPECT_EQ(child.said, "");
  EXPECT_TRUE(child.Exited(0)) << child.status;
}

#ifdef __x86_64__
// The same calls have other numbers there, which a filter for this mode would misread.
TEST(Sandbox, EndsAProcessThatMakesCallsInAnotherProcessorMode) {
  SKIP_WITH_A_SANITIZER();
  constexpr long kX32 = 0x40000000;
  const Child x32 = InSandbox([]() -> std::string { return std::to_string(::syscall(kX32 | SYS_getpid)); });
  EXPECT_TRUE(x32.WasKilledBy(SIGSYS)) << x32.status << x32.said;
  const Child i386 = InSandbox([]() -> std::string {
    long result = 20;  // getpid
    asm volatile("int $0x80" : "+a"(result) : : "memory");
    return std::to_string(result);
  });
  EXPECT_TRUE(i386.WasKilledBy(SIGSYS) || i386.WasKilledBy(SIGSEGV)) << i386.status << i386.said;
}
#endif

TEST(Sandbox, FiltersNothingWhenToldSoAndSaysWhy) {
  const Child child = ChildThat([] {
    const auto unfiltered_because = FilterCalls(false, {Role::kReader});
    const bool can = ::kill(::getpid(), 0) == 0;
    return unfiltered_because && can ? *unfiltered_because : "refused";
  });
  EXPECT_THAT(child.said, HasSubstr("--no-sandbox.seccomp"));
}

TEST(Sandbox, EveryAllowedCallIsOneThatThisSystemKnows) {
  std::set<std::string> known;
  for (int number = 0; number < 600; ++number) {
    known.insert(CallName(number));
  }
  for (const Role role : {Role::kReader, Role::kServer, Role::kTableWalker}) {
    std::vector<AllowedCall> calls = AllowedCalls({role});
    calls.insert(calls.end(), StoreCalls().begin(), StoreCalls().end());
    for (const AllowedCall& call : calls) {
#ifdef __x86_64__
      EXPECT_TRUE(known.contains(call.name)) << call.name << " is misspelt, and so never allowed";
#endif
      EXPECT_LE(call.demand_count, call.demands.size()) << call.name;
    }
  }
}

}  // namespace
}  // namespace finwait::privilege
