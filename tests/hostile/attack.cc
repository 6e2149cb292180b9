// Hostile code inside the program: linked into a build of it (hostile_exporter), and run by one of its own threads, so
// with all that the thread has, as whoever has found a flaw would. It takes every way to change the host that is known
// to us, and says on standard error what came of each. Never part of what is shipped.

// Before the kernel's own headers, which then leave out what both define.
#include <netinet/in.h>

#include <arpa/inet.h>
#include <endian.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

namespace {

// Where the program keeps the headers of its requests (collectors/kernel/netlink/sealed_requests.cc), as an attacker
// reads in the source.
constexpr std::uintptr_t kSealed = 0x200000;
constexpr std::size_t kSealedSize = 0x100000;
constexpr std::uintptr_t kSealedDiag = kSealed + 0x80000;
constexpr std::uintptr_t kSealedXfrm = kSealedDiag + 0x4000;
constexpr int kFirstXfrmSocket = 640;

void Say(const std::string& what, const std::string& result) {
  const std::string line = "attack: " + what + ": " + result + "\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

void Report(const std::string& what, int error) {
  Say(what, error == 0 ? "ACKNOWLEDGED" : "refused, " + std::string(strerrorname_np(error)));
}

int OpenSocket(int protocol) { return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol); }

// What the kernel answers: 0, an errno, or ETIME where it says nothing.
int Answer(int socket) {
  char answer[4096];
  for (int i = 0; i < 20; ++i) {
    const ssize_t got = ::recv(socket, answer, sizeof answer, MSG_DONTWAIT);
    if (got >= static_cast<ssize_t>(sizeof(nlmsghdr) + sizeof(int))) {
      const auto* header = reinterpret_cast<const nlmsghdr*>(answer);
      int code = 0;
      std::memcpy(&code, answer + sizeof(nlmsghdr), sizeof code);
      return header->nlmsg_type == NLMSG_ERROR ? -code : ENOMSG;
    }
    ::usleep(1000);
  }
  return ETIME;
}

using Bytes = std::vector<char>;
// A way to get bytes to a netlink socket: what the call returns.
using Way = std::function<ssize_t(int socket, const Bytes&)>;

ssize_t SendTo(int socket, const Bytes& bytes) {
  sockaddr_nl kernel = {};
  kernel.nl_family = AF_NETLINK;
  return ::sendto(socket, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
}
ssize_t SendMessage(int socket, const Bytes& bytes) {
  sockaddr_nl kernel = {};
  kernel.nl_family = AF_NETLINK;
  iovec piece = {const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message = {};
  message.msg_name = &kernel;
  message.msg_namelen = sizeof kernel;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  return ::sendmsg(socket, &message, 0);
}
ssize_t Write(int socket, const Bytes& bytes) { return ::write(socket, bytes.data(), bytes.size()); }
ssize_t WriteV(int socket, const Bytes& bytes) {
  iovec piece = {const_cast<char*>(bytes.data()), bytes.size()};
  return ::writev(socket, &piece, 1);
}
// Over a descriptor that the filter lets the program write to.
ssize_t WriteAsStandardOutput(int socket, const Bytes& bytes) {
  ::close(STDOUT_FILENO);
  const bool moved = ::dup2(socket, STDOUT_FILENO) == STDOUT_FILENO || ::dup3(socket, STDOUT_FILENO, 0) >= 0 ||
                     ::fcntl(socket, F_DUPFD_CLOEXEC, STDOUT_FILENO) == STDOUT_FILENO;
  return moved ? ::write(STDOUT_FILENO, bytes.data(), bytes.size()) : -1;
}
ssize_t SendMany(int socket, const Bytes& bytes) {
  iovec piece = {const_cast<char*>(bytes.data()), bytes.size()};
  mmsghdr message = {};
  message.msg_hdr.msg_iov = &piece;
  message.msg_hdr.msg_iovlen = 1;
  return ::sendmmsg(socket, &message, 1, 0);
}

ssize_t WriteVAtNoPlace(int socket, const Bytes& bytes) {
  iovec piece = {const_cast<char*>(bytes.data()), bytes.size()};
  return ::pwritev2(socket, &piece, 1, -1, 0);
}
// Out of a file in memory.
ssize_t SendFile(int socket, const Bytes& bytes) {
  const int file = static_cast<int>(::syscall(SYS_memfd_create, "order", 0));
  off_t from = 0;
  const bool written = file >= 0 && ::pwrite(file, bytes.data(), bytes.size(), 0) > 0;
  const int why = errno;
  // Whatever the file: the call itself must not be there.
  const ssize_t sent = ::sendfile(socket, written ? file : STDIN_FILENO, written ? &from : nullptr, bytes.size());
  errno = sent < 0 && !written && errno != ENOSYS ? why : errno;
  ::close(file);
  return sent;
}
// Out of a pipe.
ssize_t Splice(int socket, const Bytes& bytes) {
  int ends[2] = {-1, -1};
  const bool filled = ::pipe(ends) == 0 && ::write(ends[1], bytes.data(), bytes.size()) > 0;
  const ssize_t moved = ::splice(filled ? ends[0] : STDIN_FILENO, nullptr, socket, nullptr, bytes.size(), 0);
  const int why = errno;
  ::close(ends[0]);
  ::close(ends[1]);
  errno = why;
  return moved;
}
ssize_t SpliceMemory(int socket, const Bytes& bytes) {
  iovec piece = {const_cast<char*>(bytes.data()), bytes.size()};
  return ::vmsplice(socket, &piece, 1, 0);
}

const std::pair<const char*, Way> kWays[] = {{"sendto", SendTo},
                                             {"sendmsg", SendMessage},
                                             {"write", Write},
                                             {"writev", WriteV},
                                             {"write to standard output", WriteAsStandardOutput},
                                             {"sendmmsg", SendMany},
                                             {"pwritev2", WriteVAtNoPlace},
                                             {"sendfile", SendFile},
                                             {"splice", Splice},
                                             {"vmsplice", SpliceMemory}};

Bytes Message(int type, int flags, const void* body, std::size_t size) {
  Bytes bytes(sizeof(nlmsghdr) + size);
  auto* header = reinterpret_cast<nlmsghdr*>(bytes.data());
  header->nlmsg_len = static_cast<std::uint32_t>(bytes.size());
  header->nlmsg_type = static_cast<std::uint16_t>(type);
  header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  header->nlmsg_seq = 1;
  std::memcpy(bytes.data() + sizeof(nlmsghdr), body, size);
  return bytes;
}

// A batch of nftables' with one message in it.
Bytes Batch(const Bytes& message) {
  const std::uint8_t subsystem[4] = {0, 0, 0, NFNL_SUBSYS_NFTABLES};
  Bytes bytes = Message(NFNL_MSG_BATCH_BEGIN, 0, subsystem, sizeof subsystem);
  reinterpret_cast<nlmsghdr*>(bytes.data())->nlmsg_flags = NLM_F_REQUEST;
  bytes.insert(bytes.end(), message.begin(), message.end());
  const std::size_t end = bytes.size();
  const Bytes last = Message(NFNL_MSG_BATCH_END, 0, subsystem, sizeof subsystem);
  bytes.insert(bytes.end(), last.begin(), last.end());
  reinterpret_cast<nlmsghdr*>(bytes.data() + end)->nlmsg_flags = NLM_F_REQUEST;
  return bytes;
}

struct AddressMessage {
  ifaddrmsg about = {AF_INET, 32, 0, 0, 1};
  std::uint16_t length = 8;
  std::uint16_t type = IFA_LOCAL;
  std::uint8_t address[4] = {192, 0, 2, 99};
};

void PutAttribute(int type, const void* data, std::size_t size, Bytes& body) {
  nlattr header = {};
  header.nla_len = static_cast<std::uint16_t>(sizeof header + size);
  header.nla_type = static_cast<std::uint16_t>(type);
  const std::size_t at = body.size();
  body.resize(at + sizeof header + NLA_ALIGN(size));
  std::memcpy(body.data() + at, &header, sizeof header);
  std::memcpy(body.data() + at + sizeof header, data, size);
}
void PutAttribute(int type, const Bytes& data, Bytes& body) { PutAttribute(type, data.data(), data.size(), body); }

// Asks whether the ipset "counted" has 192.0.2.1, and has that element count a million packets: no more than a question
// by its type.
Bytes AskIpsetAndCount() {
  const std::uint8_t protocol = 6;
  const std::uint8_t address[4] = {192, 0, 2, 1};
  const std::uint64_t million = htobe64(1'000'000);
  Bytes ip;
  PutAttribute(IPSET_ATTR_IPADDR_IPV4 | NLA_F_NET_BYTEORDER, address, sizeof address, ip);
  Bytes element;
  PutAttribute(IPSET_ATTR_IP | NLA_F_NESTED, ip, element);
  PutAttribute(IPSET_ATTR_BYTES | NLA_F_NET_BYTEORDER, &million, sizeof million, element);
  PutAttribute(IPSET_ATTR_PACKETS | NLA_F_NET_BYTEORDER, &million, sizeof million, element);
  Bytes body = {AF_INET, 0, 0, 0};
  PutAttribute(IPSET_ATTR_PROTOCOL, &protocol, sizeof protocol, body);
  PutAttribute(IPSET_ATTR_SETNAME, "counted", sizeof "counted", body);
  PutAttribute(IPSET_ATTR_DATA | NLA_F_NESTED, element, body);
  return Message(NFNL_SUBSYS_IPSET << 8 | IPSET_CMD_TEST, 0, body.data(), body.size());
}

// The orders of security-netlink-writes and what they would do.
void GiveOrders() {
  const std::uint8_t any_family[4] = {AF_UNSPEC, 0, 0, 0};
  const std::uint8_t ipv4[4] = {AF_INET, 0, 0, 0};
  ifinfomsg down = {};
  down.ifi_index = 1;
  down.ifi_change = IFF_UP;
  const AddressMessage address;
  struct {
    std::uint8_t group[4] = {0, 0, 0, 99};
    std::uint16_t length = 8;
    std::uint16_t type = 1;
    std::uint8_t command = 1;
    std::uint8_t padding = 0;
    std::uint16_t family = htons(AF_INET);
  } bind_to;
  char table[12] = {AF_INET, 0, 0, 0, 6, 0, 1, 0, 't', 0, 0, 0};
  const struct {
    const char* what;
    int protocol;
    Bytes bytes;
  } orders[] = {
      {"flush conntrack", NETLINK_NETFILTER, Message(NFNL_SUBSYS_CTNETLINK << 8 | 2, 0, any_family, sizeof any_family)},
      {"flush expectations", NETLINK_NETFILTER, Message(NFNL_SUBSYS_CTNETLINK_EXP << 8 | 2, 0, ipv4, sizeof ipv4)},
      {"delete an nft table", NETLINK_NETFILTER, Batch(Message(NFNL_SUBSYS_NFTABLES << 8 | 2, 0, table, sizeof table))},
      {"take lo down", NETLINK_ROUTE, Message(RTM_NEWLINK, 0, &down, sizeof down)},
      {"add an address", NETLINK_ROUTE, Message(RTM_NEWADDR, NLM_F_CREATE, &address, sizeof address)},
      {"bind NFLOG", NETLINK_NETFILTER, Message(NFNL_SUBSYS_ULOG << 8 | 1, 0, &bind_to, sizeof bind_to)},
      {"bind NFQUEUE", NETLINK_NETFILTER, Message(NFNL_SUBSYS_QUEUE << 8 | 2, 0, &bind_to, sizeof bind_to)},
      {"count in an ipset", NETLINK_NETFILTER, AskIpsetAndCount()},
  };
  for (const auto& order : orders) {
    for (const auto& [name, way] : kWays) {
      const std::string what = std::string(order.what) + " by " + name;
      const int socket = OpenSocket(order.protocol);
      if (socket < 0) {
        Report(what, errno);
        continue;
      }
      errno = 0;
      Report(what, way(socket, order.bytes) < 0 ? errno : Answer(socket));
      ::close(socket);
    }
  }
}

// Any msghdr of the program's own whose header has the type.
const msghdr* FindSealed(std::uintptr_t from, std::uintptr_t to, int type, std::size_t body) {
  for (std::uintptr_t at = from; at < to; at += 64) {
    const auto* message = reinterpret_cast<const msghdr*>(at);
    if (message->msg_iovlen == 2 && static_cast<const nlmsghdr*>(message->msg_iov[0].iov_base)->nlmsg_type == type &&
        message->msg_iov[1].iov_len == body) {
      return message;
    }
  }
  return nullptr;
}

bool IsMapped(std::uintptr_t address) {
  unsigned char resident = 0;
  // Not on the list, so refused there; without the filter it tells.
  if (::mincore(reinterpret_cast<void*>(address), 4096, &resident) == 0) {
    return true;
  }
  // Written from: EFAULT where nothing is.
  const int events[2] = {::open("/proc/self/maps", O_RDONLY), 0};
  std::string maps;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(events[0], buffer, sizeof buffer)) > 0;) {
    maps.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(events[0]);
  char line[32];
  std::snprintf(line, sizeof line, "%08lx-", static_cast<unsigned long>(address));
  return maps.find(line) != std::string::npos;
}

// What the seal is against.
void BreakTheSeal() {
  if (!IsMapped(kSealed)) {
    Say("the sealed headers", "not here");
    return;
  }
  void* const memory = reinterpret_cast<void*>(kSealed);
  Report("make the headers writable", ::mprotect(memory, kSealedSize, PROT_READ | PROT_WRITE) == 0 ? 0 : errno);
  Report("make one page of them writable", ::mprotect(memory, 4096, PROT_READ | PROT_WRITE) == 0 ? 0 : errno);
  Report("unmap the headers", ::munmap(memory, 4096) == 0 ? 0 : errno);
  Report("unmap from below", ::munmap(reinterpret_cast<void*>(kSealed - 4096), 8192) == 0 ? 0 : errno);
  Report("map over the headers",
         ::mmap(memory, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED
             ? 0
             : errno);
  Report("move the headers", ::mremap(memory, 4096, 4096, MREMAP_MAYMOVE) != MAP_FAILED ? 0 : errno);
  void* const own = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  Report("move a page over the headers",
         ::mremap(own, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, memory) != MAP_FAILED ? 0 : errno);
  Report("empty the headers", ::madvise(memory, 4096, MADV_DONTNEED) == 0 ? 0 : errno);
  const int random = ::open("/proc/self/stat", O_RDONLY);
  Report("read a file into the headers", ::read(random, memory, 64) > 0 ? 0 : errno);
  ::close(random);
  const int itself = ::open("/proc/self/mem", O_RDWR);
  Report("write by /proc/self/mem", itself >= 0 ? 0 : errno);

  // Type 20: SOCK_DIAG_BY_FAMILY to one protocol, RTM_NEWADDR to another.
  const AddressMessage address;
  if (const msghdr* sealed = FindSealed(kSealedDiag, kSealedDiag + 0x4000, RTM_NEWADDR, sizeof address)) {
    std::memcpy(sealed->msg_iov[1].iov_base, &address, sizeof address);
    const int route = OpenSocket(NETLINK_ROUTE);
    Report("add an address by the header for sockets", ::sendmsg(route, sealed, 0) < 0 ? errno : Answer(route));
    // As a descriptor that the filter knows: by its number, with garbage above, and by closing one of those.
    for (int fixed = 512; fixed < 520; ++fixed) {
      ::close(fixed);
      ::dup2(route, fixed);
      ::fcntl(route, F_DUPFD_CLOEXEC, fixed);
    }
    Report("the same with a wider number",
           ::syscall(SYS_sendmsg, (std::uint64_t{1} << 41) | static_cast<std::uint64_t>(route), sealed, 0) < 0
               ? errno
               : Answer(route));
    std::vector<int> many = {route};
    for (int i = 0; i < 2000 && many.back() >= 0; ++i) {
      many.push_back(OpenSocket(NETLINK_ROUTE));
      if (many.back() >= 512 && ::sendmsg(many.back(), sealed, 0) >= 0) {
        Report("the same over a high descriptor", Answer(many.back()));
      }
    }
    Say("descriptors", "up to " + std::to_string(many.size() > 1 ? many[many.size() - 2] : route));
    for (const int fd : many) {
      ::close(fd);
    }
  } else {
    Say("a header of type 20", "not here");
  }
  // The header of every question in the list, with a body that counts.
  const Bytes counting = AskIpsetAndCount();
  const std::size_t counting_body = counting.size() - sizeof(nlmsghdr);
  if (const msghdr* sealed = FindSealed(kSealed, kSealedDiag, NFNL_SUBSYS_IPSET << 8 | IPSET_CMD_TEST, counting_body)) {
    std::memcpy(sealed->msg_iov[1].iov_base, counting.data() + sizeof(nlmsghdr), counting_body);
    const int netfilter = OpenSocket(NETLINK_NETFILTER);
    Report("count in an ipset by a sealed header", ::sendmsg(netfilter, sealed, 0) < 0 ? errno : Answer(netfilter));
    ::close(netfilter);
  }
  // An order behind a sealed header.
  const Bytes order = Message(NFNL_SUBSYS_CTNETLINK << 8 | 2, 0, "\0\0\0\0", 4);
  if (const msghdr* sealed = FindSealed(kSealed, kSealedDiag, NFNL_SUBSYS_CTNETLINK << 8 | 1, order.size())) {
    std::memcpy(sealed->msg_iov[1].iov_base, order.data(), order.size());
    const int netfilter = OpenSocket(NETLINK_NETFILTER);
    const int sent = ::sendmsg(netfilter, sealed, 0) < 0 ? errno : Answer(netfilter);
    Say("an order behind a sealed header", sent == 0 ? "taken for a question" : strerrorname_np(sent));
    ::close(netfilter);
  }
  // Type 37: XFRM_MSG_GETSPDINFO to one protocol, RTM_DELQDISC to another.
  tcmsg queue = {};
  queue.tcm_ifindex = 1;
  if (const msghdr* sealed = FindSealed(kSealedXfrm, kSealedXfrm + 0x4000, RTM_DELQDISC, sizeof queue)) {
    std::memcpy(sealed->msg_iov[1].iov_base, &queue, sizeof queue);
    const int route = OpenSocket(NETLINK_ROUTE);
    Report("delete a qdisc by the header for IPsec", ::sendmsg(route, sealed, 0) < 0 ? errno : Answer(route));
    ::close(route);
  } else {
    Say("a header of type 37", "not here");
  }
  // Type 21: XFRM_MSG_GETPOLICY to one protocol, RTM_DELADDR to another.
  ifaddrmsg of_loopback = {};
  of_loopback.ifa_family = AF_INET;
  of_loopback.ifa_index = 1;
  if (const msghdr* sealed = FindSealed(kSealedXfrm, kSealedXfrm + 0x4000, RTM_DELADDR, sizeof of_loopback)) {
    std::memcpy(sealed->msg_iov[1].iov_base, &of_loopback, sizeof of_loopback);
    const int route = OpenSocket(NETLINK_ROUTE);
    Report("delete an address by the header for IPsec", ::sendmsg(route, sealed, 0) < 0 ? errno : Answer(route));
    ::close(route);
  } else {
    Say("a header of type 21", "not here");
  }
  // Type 22: RTM_GETADDR to one, XFRM_MSG_ALLOCSPI to the other, whose socket is there already. Type 20:
  // XFRM_MSG_DELPOLICY.
  for (const auto& [type, from, to] :
       {std::tuple{int{RTM_GETADDR}, kSealed, kSealedDiag}, std::tuple{int{RTM_NEWADDR}, kSealedDiag, kSealedXfrm}}) {
    const msghdr* sealed = FindSealed(from, to, type, 248);
    if (sealed == nullptr) {
      Say("a header of type " + std::to_string(type), "not here");
      continue;
    }
    for (const int socket : {kFirstXfrmSocket, OpenSocket(NETLINK_XFRM)}) {
      Report("an order to IPsec by a header of type " + std::to_string(type),
             ::sendmsg(socket, sealed, 0) < 0 ? errno : 0);
    }
  }
  // Half a msghdr: an address that is no multiple.
  const int netfilter = OpenSocket(NETLINK_NETFILTER);
  Report("a header from its middle",
         ::sendmsg(netfilter, reinterpret_cast<const msghdr*>(kSealed + 8), 0) < 0 ? errno : Answer(netfilter));
  ::close(netfilter);
}

std::string Read(const std::string& path) {
  char text[1024] = {};
  const int file = ::open(path.c_str(), O_RDONLY);
  [[maybe_unused]] const ssize_t got = ::read(file, text, sizeof text - 1);
  ::close(file);
  return text;
}

// The processes that code in this one might reach: those of this program, whose relative it is, and the first of all.
// As procfs tells, which is there where getppid() is not.
std::vector<pid_t> Others() {
  std::vector<pid_t> others = {1};
  const std::string stat = Read("/proc/self/stat");
  std::istringstream rest(stat.substr(std::min(stat.rfind(')') + 1, stat.size())));
  char state = 0;
  pid_t parent = 0;
  if (rest >> state >> parent) {
    others.push_back(parent);
  }
  if (const char* named = std::getenv("FINWAIT_ATTACK_SIBLING")) {
    others.push_back(static_cast<pid_t>(std::atoi(named)));
  }
  std::istringstream children(Read("/proc/self/task/" + std::to_string(::getpid()) + "/children"));
  for (pid_t child = 0; children >> child;) {
    others.push_back(child);
  }
  return others;
}

void ReachFor(pid_t other) {
  const std::string process = " process " + std::to_string(other);
  Report("trace" + process, ::ptrace(PTRACE_SEIZE, other, nullptr, nullptr) == 0 ? 0 : errno);
  Report("attach to" + process, ::ptrace(PTRACE_ATTACH, other, nullptr, nullptr) == 0 ? 0 : errno);
  char bytes[16] = {};
  const iovec here = {bytes, sizeof bytes};
  const iovec there = {reinterpret_cast<void*>(kSealed), sizeof bytes};
  Report("read the memory of" + process, ::process_vm_readv(other, &here, 1, &there, 1, 0) > 0 ? 0 : errno);
  Report("write the memory of" + process, ::process_vm_writev(other, &here, 1, &there, 1, 0) > 0 ? 0 : errno);
  const std::string memory = "/proc/" + std::to_string(other) + "/mem";
  Report("open " + memory, ::open(memory.c_str(), O_RDONLY) >= 0 ? 0 : errno);
  Report("open " + memory + " to write", ::open(memory.c_str(), O_RDWR) >= 0 ? 0 : errno);
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, other, 0));
  Report("a handle of" + process, handle >= 0 ? 0 : errno);
  Report("a descriptor of" + process, ::syscall(SYS_pidfd_getfd, handle, 0, 0) >= 0 ? 0 : errno);
  ::close(handle);
  Report("signal" + process, ::kill(other, 0) == 0 ? 0 : errno);
  Report("signal a thread of" + process, ::syscall(SYS_tgkill, other, other, 0) == 0 ? 0 : errno);
  rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};  // what it has, if that can be read: nothing is to break
  Report("read the limits of" + process,
         ::syscall(SYS_prlimit64, other, RLIMIT_NOFILE, nullptr, &limit) == 0 ? 0 : errno);
  Report("limit" + process, ::syscall(SYS_prlimit64, other, RLIMIT_NOFILE, &limit, nullptr) == 0 ? 0 : errno);
}

// The kernel makes the table that somebody asks for.
void MakeLegacyTables() {
  for (const auto& [family, level] : {std::pair{AF_INET, IPPROTO_IP}, std::pair{AF_INET6, IPPROTO_IPV6}}) {
    for (const char* table : {"filter", "nat", "mangle", "raw", "security"}) {
      const std::string what = std::string("make the table ") + table + (family == AF_INET ? "" : " of IPv6");
      const int socket = ::socket(family, SOCK_STREAM, 0);
      ipt_getinfo information = {};
      std::strncpy(information.name, table, sizeof information.name - 1);
      socklen_t size = sizeof information;
      Report(what, ::getsockopt(socket, level, IPT_SO_GET_INFO, &information, &size) == 0 ? 0 : errno);
      ipt_get_entries entries;
      std::memset(&entries, 0, sizeof entries);
      std::strncpy(entries.name, table, sizeof entries.name - 1);
      size = sizeof entries;
      Report(what + " by its rules", ::getsockopt(socket, level, IPT_SO_GET_ENTRIES, &entries, &size) == 0 ? 0 : errno);
      ::close(socket);
    }
  }
}

// By every descriptor that the process has: one may be a datagram socket that is somebody else's friend.
void WriteToOtherUnixSockets() {
  const char* path = std::getenv("FINWAIT_ATTACK_UNIX");
  if (path == nullptr) {
    return;
  }
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  std::strncpy(name.sun_path, path, sizeof name.sun_path - 1);
  iovec piece = {const_cast<char*>("evil"), 4};
  mmsghdr message = {};
  message.msg_hdr.msg_name = &name;
  message.msg_hdr.msg_namelen = sizeof name;
  message.msg_hdr.msg_iov = &piece;
  message.msg_hdr.msg_iovlen = 1;
  for (int fd = 0; fd < 1024; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) {
      continue;
    }
    const std::string what = "write to another Unix socket by " + std::to_string(fd);
    const auto* generic = reinterpret_cast<const sockaddr*>(&name);
    Report(what, ::sendto(fd, "evil", 4, MSG_NOSIGNAL, generic, sizeof name) >= 0 ? 0 : errno);
    Report(what + " and sendmsg", ::sendmsg(fd, &message.msg_hdr, MSG_NOSIGNAL) >= 0 ? 0 : errno);
    Report(what + " and sendmmsg", ::sendmmsg(fd, &message, 1, MSG_NOSIGNAL) > 0 ? 0 : errno);
    Report(what + " and connect", ::connect(fd, generic, sizeof name) == 0 ? 0 : errno);
  }
}

void ReachForOthers() {
  const int shadow = ::open("/etc/shadow", O_RDONLY);
  Report("read /etc/shadow", shadow >= 0 ? 0 : errno);
  const int file = ::open("/tmp/finwait_hostile", O_WRONLY | O_CREAT, 0600);
  Report("make a file", file >= 0 ? 0 : errno);
  const int unix_socket = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, "/tmp/a.fw", 10);
  Report("make a file by bind",
         unix_socket >= 0 && ::bind(unix_socket, reinterpret_cast<sockaddr*>(&name), 12) == 0 ? 0 : errno);
  char* const arguments[] = {const_cast<char*>("/bin/true"), nullptr};
  ::execv(arguments[0], arguments);
  Report("run a program", errno);
  for (const pid_t other : Others()) {
    ReachFor(other);
  }
  MakeLegacyTables();
  WriteToOtherUnixSockets();
  const int wide = OpenSocket(NETLINK_NETFILTER);
  const int gibibyte = 1 << 30;
  Report("have a gibibyte of the kernel's memory",
         ::setsockopt(wide, SOL_SOCKET, SO_RCVBUFFORCE, &gibibyte, sizeof gibibyte) == 0 ? 0 : errno);
  ::close(wide);
  std::uint64_t parameters[64] = {};
  Report("set up io_uring", ::syscall(SYS_io_uring_setup, 4, parameters) >= 0 ? 0 : errno);
  Report("make a process in a namespace of its own",
         ::syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_NEWNET, nullptr, nullptr, nullptr,
                   nullptr) >= 0
             ? 0
             : errno);
  Report("connect somewhere", [] {
    const int tcp = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(9);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (tcp < 0) {
      return errno;
    }
    const int error = ::connect(tcp, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
    ::close(tcp);
    return error == ECONNREFUSED ? 0 : error;  // it went out
  }());
}

bool IsWantedIn(const char* where) {
  const char* wanted = std::getenv("FINWAIT_ATTACK_IN");
  return wanted != nullptr && std::strcmp(wanted, where) == 0;
}

void Attack(const std::string& where) {
  Say("begins", "in " + where + " of process " + std::to_string(::getpid()));
  GiveOrders();
  BreakTheSeal();
  ReachForOthers();
  Say("ends", "");
}

}  // namespace

extern "C" int __real_pthread_setname_np(pthread_t thread, const char* name);

// Each thread of the program gives itself a name once it runs, which is when its process has given up all that it will.
extern "C" int __wrap_pthread_setname_np(pthread_t thread, const char* name) {
  static std::atomic<bool> attacked = false;
  const int result = __real_pthread_setname_np(thread, name);
  if (IsWantedIn(name) && !attacked.exchange(true)) {
    Attack(std::string("thread ") + name);
  }
  return result;
}

// A command that has no thread: once it has done its work.
__attribute__((destructor)) void AttackAtTheEnd() {
  if (IsWantedIn("exit")) {
    Attack("the end");
  }
}
