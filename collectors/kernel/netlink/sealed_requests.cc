#include "collectors/kernel/netlink/sealed_requests.h"

#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "collectors/kernel/netlink/read_requests.h"

namespace finwait::kernel::netlink {
namespace {

// The lowest memory of the process, so that one comparison keeps it: whatever is mapped later lies above.
constexpr std::uintptr_t kBase = 0x200000;
constexpr std::size_t kSize = 0x100000;
// Each msghdr stands at a multiple of this, and the addresses of all of them are one block: a filter can tell by mask.
constexpr std::size_t kStride = 64;
constexpr std::size_t kAnySize = 0x80000;
constexpr std::size_t kApartSize = 0x4000;
static_assert(sizeof(msghdr) <= kStride);
static_assert(kBase % kAnySize == 0 && (kBase + kAnySize) % kApartSize == 0);

// A protocol whose headers are for its own sockets only: its numbers are orders to others.
struct Apart {
  int protocol;
  std::size_t sockets;  // as many as may be in use at a time
};
constexpr Apart kApart[] = {{NETLINK_SOCK_DIAG, 6}, {NETLINK_XFRM, 1}};
constexpr int kNumbersEach = 128;  // of sockets, a power of two
static_assert(SealedRequests::kFirstFixed + static_cast<int>(std::size(kApart)) * kNumbersEach ==
              SealedRequests::kFirstFree);
constexpr std::size_t kHeadersSize = kAnySize + std::size(kApart) * kApartSize;

// What a msghdr points to.
struct Parts {
  iovec pieces[2];
  nlmsghdr header;
};

constexpr std::uint16_t kWays[] = {NLM_F_REQUEST | NLM_F_ACK, NLM_F_REQUEST | NLM_F_DUMP};
constexpr std::size_t kStep = 4;  // messages end with whole words

// Names of tables, chains and sets may have 256 bytes each; the others' attributes are few, and XFRM is asked without.
std::size_t LongestBody(const ReadRequest& request) {
  constexpr std::size_t kShort = 256;
  constexpr std::size_t kHeader = 64;  // xfrm_userpolicy_id
  if (request.protocol == NETLINK_XFRM) {
    return kHeader;
  }
  return request.protocol == NETLINK_NETFILTER && NFNL_SUBSYS_ID(request.type) == NFNL_SUBSYS_NFTABLES
             ? SealedRequests::kLongestBody
             : kShort;
}

constexpr long kMseal = 462;  // SYS_mseal, Linux 6.10, which older headers do not have

}  // namespace

struct SealedRequests::Body {
  std::mutex mutex;
  std::array<std::byte, kLongestBody> bytes = {};
};

Result<std::shared_ptr<SealedRequests>> SealedRequests::Make(bool has_xfrm) {
  std::shared_ptr<SealedRequests> requests(new SealedRequests());
  if (auto opened = requests->OpenSockets(has_xfrm); !opened) {
    return Failure(opened.error());
  }
  if (auto filled = requests->Fill(); !filled) {
    return Failure(filled.error());
  }
  return requests;
}

bool SealedRequests::IsApart(int protocol) {
  return std::ranges::any_of(kApart, [protocol](const Apart& apart) { return apart.protocol == protocol; });
}

Result<void> SealedRequests::OpenSockets(bool has_xfrm) {
  int first = kFirstFixed;
  for (const Apart& apart : kApart) {
    for (std::size_t i = 0; i < apart.sockets && (apart.protocol != NETLINK_XFRM || has_xfrm); ++i) {
      auto socket = OpenBoundSocket(apart.protocol);
      if (!socket) {
        return Failure(socket.error());
      }
      UniqueFd fixed(::fcntl(socket->fd.Get(), F_DUPFD_CLOEXEC, first));
      if (!fixed) {
        return FailErrno("give a netlink socket a number from " + std::to_string(first) + " on", errno);
      }
      fixed_.push_back({apart.protocol, {std::move(fixed), socket->port}});
    }
    first += kNumbersEach;
  }
  return {};
}

Result<void> SealedRequests::Fill() {
  void* const memory = ::mmap(reinterpret_cast<void*>(kBase), kSize, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (memory == MAP_FAILED) {
    return FailErrno("map memory for the headers of netlink requests", errno);
  }
  if (memory != reinterpret_cast<void*>(kBase)) {  // a kernel that takes the address for a hint
    ::munmap(memory, kSize);
    return Fail(FailureReason::kUnsupported, "map memory for the headers of netlink requests: it is taken");
  }
  auto* const start = static_cast<std::byte*>(memory);
  // Where the next header of each block goes, and where the block ends: that of all others first.
  struct Block {
    std::byte* next;
    const std::byte* end;
  };
  std::array<Block, 1 + std::size(kApart)> blocks;
  blocks[0] = {start, start + kAnySize};
  for (std::size_t i = 1; i < blocks.size(); ++i) {
    std::byte* const begin = start + kAnySize + (i - 1) * kApartSize;
    blocks[i] = {begin, begin + kApartSize};
  }
  auto* const address = reinterpret_cast<sockaddr_nl*>(start + kHeadersSize);
  address->nl_family = AF_NETLINK;
  auto* parts = reinterpret_cast<Parts*>(start + kHeadersSize + kStride);
  for (const ReadRequest& request : ReadRequests()) {
    const auto* const apart = std::ranges::find(kApart, request.protocol, &Apart::protocol);
    Block& block = blocks[apart == std::end(kApart) ? 0 : static_cast<std::size_t>(1 + apart - kApart)];
    bodies_.push_back(std::make_unique<Body>());
    for (const std::uint16_t flags : kWays) {
      std::byte*& next = block.next;
      const Kind kind = {
          request.protocol,    request.type, flags, LongestBody(request), reinterpret_cast<const msghdr*>(next),
          bodies_.back().get()};
      for (std::size_t size = 0; size <= kind.longest; size += kStep, next += kStride, ++parts) {
        if (next + kStride > block.end || reinterpret_cast<std::byte*>(parts + 1) > start + kSize) {
          return Fail(FailureReason::kError, "the headers of netlink requests need more memory than is set apart");
        }
        parts->header.nlmsg_len = static_cast<std::uint32_t>(sizeof(nlmsghdr) + size);
        parts->header.nlmsg_type = kind.type;
        parts->header.nlmsg_flags = kind.flags;
        parts->header.nlmsg_seq = kSequence;
        parts->pieces[0] = {&parts->header, sizeof(nlmsghdr)};
        parts->pieces[1] = {kind.body->bytes.data(), size};
        auto* const message = reinterpret_cast<msghdr*>(next);
        message->msg_name = address;
        message->msg_namelen = sizeof *address;
        message->msg_iov = parts->pieces;
        message->msg_iovlen = std::size(parts->pieces);
      }
      kinds_.push_back(kind);
    }
  }
  if (::mprotect(memory, kSize, PROT_READ) != 0) {
    return FailErrno("protect the headers of netlink requests", errno);
  }
  (void)::syscall(kMseal, memory, kSize,
                  0UL);  // where there is none, the filter's comparisons of addresses do it alone
  return {};
}

SealedRequests::Boundaries SealedRequests::Limits() const {
  constexpr auto kMaskOf = [](std::uint64_t size) { return ~(size - 1) | (kStride - 1); };
  constexpr auto kNumbersFrom = [](int first, int count) {
    constexpr std::uint64_t kInt = 0xffffffff;  // the kernel looks at the lower half of the register only
    return Boundaries::Range{kInt & ~(static_cast<std::uint64_t>(count) - 1), static_cast<std::uint64_t>(first)};
  };
  Boundaries limits;
  limits.any = {{kMaskOf(kAnySize), kBase}, kNumbersFrom(0, kFirstFixed)};
  for (std::size_t i = 0; i < limits.apart.size(); ++i) {
    limits.apart[i] = {{kMaskOf(kApartSize), kBase + kAnySize + i * kApartSize},
                       kNumbersFrom(kFirstFixed + static_cast<int>(i) * kNumbersEach, kNumbersEach)};
  }
  limits.end = kBase + kSize;
  return limits;
}

ssize_t SealedRequests::Send(int socket, int protocol, Bytes message) {
  nlmsghdr header = {};
  if (message.size() < sizeof header) {
    errno = EPERM;
    return -1;
  }
  std::memcpy(&header, message.data(), sizeof header);
  const Bytes body = message.subspan(sizeof header);
  const auto kind = std::find_if(kinds_.begin(), kinds_.end(), [&](const Kind& one) {
    return one.protocol == protocol && one.type == header.nlmsg_type && one.flags == header.nlmsg_flags;
  });
  if (kind == kinds_.end() || body.size() > kind->longest || body.size() % kStep != 0) {
    errno = EPERM;
    return -1;
  }
  const auto* const sealed =
      reinterpret_cast<const msghdr*>(reinterpret_cast<const std::byte*>(kind->first) + body.size() / kStep * kStride);
  const std::lock_guard lock(kind->body->mutex);
  std::ranges::copy(body, kind->body->bytes.begin());
  return ::sendmsg(socket, sealed, MSG_NOSIGNAL);
}

Result<SealedRequests::FixedSocket> SealedRequests::TakeSocket(int protocol, Deadline deadline) {
  std::unique_lock lock(mutex_);
  if (std::ranges::find(fixed_, protocol, &Fixed::protocol) == fixed_.end()) {
    return Fail(FailureReason::kUnsupported,
                "the kernel did not have this netlink protocol when the program started; restart it");
  }
  auto found = fixed_.end();
  const bool is_free = freed_.wait_for(lock, deadline.Remaining(), [&] {
    found =
        std::ranges::find_if(fixed_, [protocol](const Fixed& one) { return one.protocol == protocol && !one.taken; });
    return found != fixed_.end();
  });
  if (!is_free) {
    return Fail(FailureReason::kTimeout, "every netlink socket for this question is in use");
  }
  found->taken = true;
  return FixedSocket(*this, static_cast<std::size_t>(found - fixed_.begin()));
}

void SealedRequests::Return(std::size_t position) {
  // What is left of an exchange that was given up; a dump goes on only as it is read, so it is read to its end.
  constexpr int kMostDatagrams = 100'000;
  std::vector<std::byte> unwanted(32 * 1024);
  for (int i = 0; i < kMostDatagrams; ++i) {
    if (::recv(fixed_[position].socket.fd.Get(), unwanted.data(), unwanted.size(), MSG_DONTWAIT) < 0 &&
        errno != ENOBUFS && errno != EINTR) {
      break;
    }
  }
  const std::lock_guard lock(mutex_);
  fixed_[position].taken = false;
  freed_.notify_all();
}

}  // namespace finwait::kernel::netlink
