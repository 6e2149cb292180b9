#include "exporter/privilege/allowed_calls.h"

// Before the kernel's own headers, which then leave out what both define.
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iterator>
#include <span>

namespace finwait::privilege {
namespace {

// Most arguments are C ints: the kernel looks at the lower half of the register only.
constexpr std::uint64_t kInt = 0xffffffff;
constexpr std::uint64_t kWhole = ~std::uint64_t{0};
constexpr std::uint64_t kSocketType = 0xf;  // without SOCK_CLOEXEC and SOCK_NONBLOCK

constexpr Demand Is(unsigned argument, std::int64_t value) {
  return {argument, kInt, static_cast<std::uint64_t>(value) & kInt};
}
constexpr Demand IsNull(unsigned argument) { return {argument, kWhole, 0}; }
constexpr Demand Lacks(unsigned argument, std::uint64_t bits) { return {argument, bits, 0}; }
constexpr Demand Has(unsigned argument, std::uint64_t bits) { return {argument, bits, bits}; }
/// No bit but these.
constexpr Demand AtMost(unsigned argument, std::uint64_t bits) { return {argument, kInt & ~bits, 0}; }
/// Of a whole register: an address.
constexpr Demand AtLeast(unsigned argument, std::uint64_t value) {
  return {argument, kWhole, value, Demand::Comparison::kAtLeast};
}
constexpr Demand IsSocketType(int type) { return {1, kSocketType, static_cast<std::uint64_t>(type)}; }

constexpr AllowedCall Any(const char* name) { return {name, {}, 0}; }
constexpr AllowedCall If(const char* name, Demand first) { return {name, {first}, 1}; }
constexpr AllowedCall If(const char* name, Demand first, Demand second) { return {name, {first, second}, 2}; }
constexpr AllowedCall If(const char* name, Demand first, Demand second, Demand third) {
  return {name, {first, second, third}, 3};
}

constexpr std::uint64_t kSending = MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE;  // not MSG_FASTOPEN, which connects

// What makes a thread, and all that would make a namespace, which is not for threads: the lowest byte has the signal of
// a process that ends, and CLONE_NEWTIME.
constexpr std::uint64_t kThread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
constexpr std::uint64_t kProcessOrNamespace = 0xff | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                              CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_VFORK;

constexpr AllowedCall kOfEveryProcess[] = {
    Any("brk"),

    // Threads, never processes. clone3 keeps its flags where a filter cannot look; refused, glibc takes clone.
    If("clone", {0, kThread | kProcessOrNamespace, kThread}),
    Any("futex"),
    Any("set_robust_list"),
    Any("rseq"),
    Any("exit"),
    Any("exit_group"),
    Any("gettid"),
    Any("getpid"),
    Any("sched_yield"),
    Any("sched_getaffinity"),
    If("prctl", Is(0, PR_SET_NAME)),

    // Signals to itself only; tgkill, which abort needs, gets this process's number when the filter is made.
    Any("rt_sigaction"),
    Any("rt_sigprocmask"),
    Any("rt_sigreturn"),
    Any("sigaltstack"),
    Any("restart_syscall"),

    // Time and waiting.
    Any("clock_gettime"),
    Any("clock_nanosleep"),
    Any("nanosleep"),
    Any("gettimeofday"),
    Any("poll"),
    Any("ppoll"),
    Any("eventfd2"),

    // Files, for reading only.
    If("openat", Lacks(2, O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))),
    Any("read"),
    Any("readv"),
    Any("pread64"),
    Any("lseek"),
    Any("fstat"),
    Any("newfstatat"),
    Any("statx"),
    Any("getdents64"),
    Any("readlink"),
    Any("readlinkat"),
    Any("access"),
    Any("faccessat"),
    Any("faccessat2"),
    Any("getcwd"),
    If("fcntl", Is(1, F_GETFL)),
    If("fcntl", Is(1, F_SETFL)),
    If("fcntl", Is(1, F_GETFD)),
    If("fcntl", Is(1, F_SETFD)),
    If("ioctl", Is(1, TCGETS)),

    // The channel between the processes, a pair of sockets made before.
    Any("recvfrom"),
    Any("shutdown"),

    // Itself and the machine, for metrics and libraries.
    Any("uname"),
    Any("sysinfo"),
    Any("getrandom"),
    Any("getrusage"),
    If("prlimit64", Is(0, 0), IsNull(2)),  // its own, and none set
    Any("getuid"),
    Any("geteuid"),
    Any("getgid"),
    Any("getegid"),
};

// SQLite with a log (WAL): pages, their way to the disk, and locks between it and who reads.
constexpr AllowedCall kStoreCalls[] = {
    Any("pwrite64"),
    Any("fsync"),
    Any("fdatasync"),
    Any("ftruncate"),
    If("fcntl", Is(1, F_SETLK)),
    If("fcntl", Is(1, F_GETLK)),
};

// Memory, none of it executable: no code comes in after the start. Writing is for sockets, events, the log and standard
// output.
constexpr AllowedCall kUnsealed[] = {
    If("mmap", Lacks(2, PROT_EXEC)),
    If("mprotect", Lacks(2, PROT_EXEC)),
    Any("munmap"),
    Any("mremap"),
    Any("madvise"),
    Any("close"),
    If("fcntl", Is(1, F_DUPFD_CLOEXEC)),
    Any("write"),
    Any("writev"),
};

// To whom a socket is connected, and to nobody else: an address would make one of the service manager's socket to any
// other.
constexpr AllowedCall kSendToPeer[] = {If("sendto", AtMost(3, kSending), IsNull(4))};

// The same where the headers of requests are sealed. Their memory is the lowest of all: what may be changed begins
// above it, and nothing is mapped over what is there. Netlink takes what is written to its sockets as it takes what is
// sent: so only standard output and the log are written to, and events, which are shorter than a header. Nothing is
// sent but to the channel, and by sendmsg() with a sealed header. Descriptors that have a meaning by their number
// (standard streams, fixed ones) are never closed, so that nothing else gets the number, and none is duplicated.
void AddSealed(const SealedCalls& sealed, std::vector<AllowedCall>& calls) {
  constexpr std::uint64_t kEventSize = 8;
  const Demand above = AtLeast(0, sealed.end);
  calls.push_back(If("mmap", Lacks(2, PROT_EXEC), Lacks(3, MAP_FIXED)));
  calls.push_back(If("mprotect", Lacks(2, PROT_EXEC), above));
  calls.push_back(If("munmap", above));
  calls.push_back(If("mremap", above, Lacks(3, MREMAP_FIXED)));
  calls.push_back(If("madvise", above));
  calls.push_back(If("write", {2, kWhole, kEventSize}));
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    calls.push_back(If("write", Is(0, fd)));
    calls.push_back(If("writev", Is(0, fd)));
  }
  // Below the fixed ones, and above the standard streams: some bit from 2 on is set, and none from the fixed ones' on.
  const std::uint64_t fixed = kInt & ~(static_cast<std::uint64_t>(sealed.first_fixed) - 1);
  for (std::uint64_t bit = 4; bit < static_cast<std::uint64_t>(sealed.first_fixed); bit <<= 1) {
    calls.push_back(If("close", {0, fixed | bit, bit}));
  }
  for (const auto& channel : {sealed.channel, sealed.opener}) {
    if (channel) {
      calls.push_back(If("sendto", Is(0, *channel), AtMost(3, kSending), IsNull(4)));
    }
  }
  for (const SealedCalls::Message& message : sealed.messages) {
    calls.push_back(If("sendmsg", message.headers, AtMost(2, kSending), message.socket));
  }
}

// Legacy tables are read by getsockopt, of any IP socket. Without connect, listen and MSG_FASTOPEN nothing leaves or
// enters by one.
constexpr AllowedCall kIpv4Tables[] = {
    If("socket", Is(0, AF_INET), IsSocketType(SOCK_STREAM), Is(2, 0)),
    If("getsockopt", Is(1, IPPROTO_IP), Is(2, IPT_SO_GET_INFO)),
    If("getsockopt", Is(1, IPPROTO_IP), Is(2, IPT_SO_GET_ENTRIES)),
};
constexpr AllowedCall kIpv6Tables[] = {
    If("socket", Is(0, AF_INET6), IsSocketType(SOCK_STREAM), Is(2, 0)),
    If("getsockopt", Is(1, IPPROTO_IPV6), Is(2, IPT_SO_GET_INFO)),  // IP6T_SO_GET_* have the same numbers
    If("getsockopt", Is(1, IPPROTO_IPV6), Is(2, IPT_SO_GET_ENTRIES)),
};

// Sockets that ask the kernel.
constexpr AllowedCall kOfTheReader[] = {
    If("socket", Is(0, AF_NETLINK), Is(2, NETLINK_NETFILTER)),
    If("socket", Is(0, AF_NETLINK), Is(2, NETLINK_SOCK_DIAG)),
    If("socket", Is(0, AF_NETLINK), Is(2, NETLINK_ROUTE)),
    // Too short for an IP address. Long enough for a Unix one, which would make a file: so no Unix socket can be made,
    // and the one to the service manager is the server's and bound before (service/notify.h).
    If("bind", Is(2, sizeof(sockaddr_nl))),
    Any("getsockname"),
    If("setsockopt", Is(1, SOL_NETLINK), Is(2, NETLINK_EXT_ACK)),
    If("setsockopt", Is(1, SOL_NETLINK), Is(2, NETLINK_CAP_ACK)),
    If("setsockopt", Is(1, SOL_NETLINK), Is(2, NETLINK_GET_STRICT_CHK)),
    If("setsockopt", Is(1, SOL_NETLINK), Is(2, NETLINK_ADD_MEMBERSHIP)),
    If("setsockopt", Is(1, SOL_NETLINK), Is(2, NETLINK_DROP_MEMBERSHIP)),
    If("setsockopt", Is(1, SOL_SOCKET), Is(2, SO_RCVBUF)),
    If("setsockopt", Is(1, SOL_SOCKET), Is(2, SO_ATTACH_FILTER)),
    Any("recvmsg"),
    If("bpf", Is(0, BPF_PROG_QUERY)),
};

// Connections that clients open, on the listening sockets made before. It makes no socket at all.
constexpr AllowedCall kOfTheServer[] = {
    Any("epoll_create1"),
    Any("epoll_ctl"),
    Any("epoll_wait"),
    Any("epoll_pwait"),
    Any("accept4"),
    Any("getpeername"),
    If("setsockopt", Is(1, SOL_SOCKET), Is(2, SO_LINGER)),
    If("setsockopt", Is(1, IPPROTO_TCP), Is(2, TCP_NODELAY)),
    If("ioctl", Is(1, SIOCOUTQ)),
    Any("rt_sigtimedwait"),
    If("wait4", Has(2, WNOHANG)),
};

// cpp-httplib's client. The names of hosts are looked up before.
constexpr AllowedCall kClientCalls[] = {
    If("socket", Is(0, AF_INET), IsSocketType(SOCK_STREAM), Is(2, IPPROTO_TCP)),
    If("socket", Is(0, AF_INET6), IsSocketType(SOCK_STREAM), Is(2, IPPROTO_TCP)),
    Any("connect"),
    Any("pselect6"),
    If("setsockopt", Is(1, SOL_SOCKET), Is(2, SO_RCVTIMEO)),
    If("setsockopt", Is(1, SOL_SOCKET), Is(2, SO_SNDTIMEO)),
    If("setsockopt", Is(1, SOL_SOCKET), Is(2, SO_REUSEPORT)),
    If("setsockopt", Is(1, SOL_SOCKET), Is(2, SO_REUSEADDR)),
    If("getsockopt", Is(1, SOL_SOCKET)),
    Any("getsockname"),
    Any("getpeername"),
};

// It waits for a request, enters a namespace, opens one of few things there, and passes it on. It reads no file. What
// it sends goes to the kernel (a dump of sockets) or by its only other socket, which is connected to the reader.
constexpr AllowedCall kOpenerCalls[] = {
    Any("recvfrom"),
    Any("sendmsg"),
    If("sendto", AtMost(3, kSending)),
    If("openat", Lacks(2, O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))),
    Any("newfstatat"),
    If("setns", Is(1, CLONE_NEWNET)),
    If("socket", Is(0, AF_NETLINK), Is(2, NETLINK_NETFILTER)),
    If("socket", Is(0, AF_NETLINK), Is(2, NETLINK_SOCK_DIAG)),
    If("socket", Is(0, AF_NETLINK), Is(2, NETLINK_ROUTE)),
    If("bind", Is(2, sizeof(sockaddr_nl))),
    Any("close"),
    Any("exit_group"),
    Any("rt_sigreturn"),
    Any("restart_syscall"),
    Any("brk"),
    If("mmap", Lacks(2, PROT_EXEC)),
    Any("munmap"),
};

// Its socket is one of the fixed ones where headers are sealed: by the numbers of other protocols' questions, this one
// takes orders. To the kernel an address has to be given.
constexpr AllowedCall kUnsealedReader[] = {
    If("socket", Is(0, AF_NETLINK), Is(2, NETLINK_XFRM)),
    If("sendto", AtMost(3, kSending)),
};

// The ring buffer is memory. Its news come by epoll; what it tells goes out by write.
constexpr AllowedCall kOfTheWitness[] = {
    Any("epoll_wait"),
    Any("epoll_pwait"),
};

// Both are for programs that are loaded already; to load one takes capabilities beside.
constexpr AllowedCall kOfTheTableWalker[] = {
    If("bpf", Is(0, BPF_PROG_TEST_RUN)),
    If("bpf", Is(0, BPF_RAW_TRACEPOINT_OPEN)),
};

std::span<const AllowedCall> CallsOf(Role role) {
  switch (role) {
    case Role::kReader:
      return kOfTheReader;
    case Role::kServer:
      return kOfTheServer;
    case Role::kClient:
      return kClientCalls;
    case Role::kWitness:
      return kOfTheWitness;
    case Role::kTableWalker:
      return kOfTheTableWalker;
    case Role::kOpener:
      return kOpenerCalls;
  }
  return {};
}

void Append(std::span<const AllowedCall> more, std::vector<AllowedCall>& calls) {
  calls.insert(calls.end(), more.begin(), more.end());
}

}  // namespace

std::span<const AllowedCall> ClientCalls() { return kClientCalls; }

std::span<const AllowedCall> OpenerCalls() { return kOpenerCalls; }

std::span<const AllowedCall> StoreCalls() { return kStoreCalls; }

std::vector<AllowedCall> AllowedCalls(const Work& work) {
  if (work.role == Role::kOpener) {
    return {std::begin(kOpenerCalls), std::end(kOpenerCalls)};
  }
  std::vector<AllowedCall> calls(std::begin(kOfEveryProcess), std::end(kOfEveryProcess));
  Append(CallsOf(work.role), calls);
  if (work.sealed) {
    AddSealed(*work.sealed, calls);
  } else {
    Append(kUnsealed, calls);
    Append(work.role == Role::kReader ? std::span<const AllowedCall>(kUnsealedReader) : kSendToPeer, calls);
  }
  if (work.role == Role::kReader && work.ipv4_tables) {
    Append(kIpv4Tables, calls);
  }
  if (work.role == Role::kReader && work.ipv6_tables) {
    Append(kIpv6Tables, calls);
  }
  if (work.writes_store) {
    Append(kStoreCalls, calls);
  }
  return calls;
}

std::vector<AllowedCall> ExpectedCalls(const Work& work) {
  // glibc asks for it first, for each thread, and then takes clone.
  std::vector<AllowedCall> calls = {Any("clone3")};
  if (work.role == Role::kReader) {
    // What it has for events is wide already (EventSocketPool); without that it has as much room as anybody.
    calls.push_back(If("setsockopt", Is(1, SOL_SOCKET), Is(2, SO_RCVBUFFORCE)));
  }
  if (work.role == Role::kReader && !work.ipv4_tables) {
    Append(kIpv4Tables, calls);
  }
  if (work.role == Role::kReader && !work.ipv6_tables) {
    Append(kIpv6Tables, calls);
  }
  return calls;
}

}  // namespace finwait::privilege
