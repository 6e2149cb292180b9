#pragma once

#include <sys/socket.h>

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/kernel/netlink/attributes.h"
#include "collectors/kernel/netlink/bound_socket.h"

namespace finwait::kernel::netlink {

/// The headers of every request that this program may send (read_requests.h), in memory that cannot be changed. A
/// filter of system calls cannot read a message, but it can compare an address: where the kernel takes messages from
/// this memory only, it keeps the list by itself, whatever code asks it.
///
/// Sealed are msghdr, iovec, address and nlmsghdr (length, type, flags, a constant sequence number), one set for each
/// request, way of asking and length. What stands behind the header stays free: with these types the kernel takes
/// nothing there for an order. But a number means different things to different protocols: type 20 is
/// SOCK_DIAG_BY_FAMILY to one, RTM_NEWADDR to another, XFRM_MSG_DELPOLICY to a third. So the headers of two protocols
/// are apart, and their sockets are made here, under numbers that nothing else can get: see Boundaries.
///
/// Make() it before other threads; it lives as long as the process. Thread-safe.
class SealedRequests {
 public:
  /// What a filter of system calls has to know, so that it holds (privilege/allowed_calls.h).
  struct Boundaries {
    // A number is within where (number & mask) == value.
    struct Range {
      std::uint64_t mask = 0;
      std::uint64_t value = 0;
    };
    struct Pair {
      Range headers;  ///< addresses, sendmsg's second argument
      Range sockets;  ///< its first: to these only
    };
    Pair any;                   ///< netfilter's and routing's, below kFirstFixed
    std::array<Pair, 2> apart;  ///< sock_diag's, XFRM's
    /// Nothing below may be unmapped, moved, protected again or mapped over.
    std::uint64_t end = 0;
  };
  /// No new descriptor gets a number from here on.
  static constexpr int kFirstFixed = 512;
  /// Nor is any from here on one of the sockets above.
  static constexpr int kFirstFree = 768;
  /// The sequence number of every request.
  static constexpr std::uint32_t kSequence = 1;
  /// The most bytes behind a header.
  static constexpr std::size_t kLongestBody = 1024;

  /// Fails where there is no such memory to be had, or no such descriptor. `has_xfrm`: NETLINK_XFRM is there; to open a
  /// socket of it where it is not would load a module.
  static Result<std::shared_ptr<SealedRequests>> Make(bool has_xfrm);
  ~SealedRequests() = default;
  SealedRequests(const SealedRequests&) = delete;
  SealedRequests& operator=(const SealedRequests&) = delete;

  Boundaries Limits() const;

  /// Sends one message, header included, whose type, flags and length must be on the list: EPERM otherwise. Returns
  /// what sendmsg does.
  ssize_t Send(int socket, int protocol, Bytes message);

  /// Whether sockets of a protocol are those made here.
  static bool IsApart(int protocol);
  /// One of them, for one user at a time, and drained when it comes back.
  class FixedSocket {
   public:
    FixedSocket(SealedRequests& owner, std::size_t position) : owner_(&owner), position_(position) {}
    FixedSocket(FixedSocket&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), position_(other.position_) {}
    FixedSocket& operator=(FixedSocket&&) = delete;
    ~FixedSocket() {
      if (owner_ != nullptr) {
        owner_->Return(position_);
      }
    }
    int Fd() const { return owner_->fixed_[position_].socket.fd.Get(); }
    std::uint32_t Port() const { return owner_->fixed_[position_].socket.port; }

   private:
    SealedRequests* owner_;
    std::size_t position_;
  };
  /// Waits for one of `protocol` that is free; kTimeout where none is, kUnsupported where none was made.
  Result<FixedSocket> TakeSocket(int protocol, Deadline deadline);

 private:
  struct Fixed {
    int protocol;
    BoundSocket socket;
    bool taken = false;
  };
  struct Body;
  struct Kind {
    int protocol;
    std::uint16_t type;
    std::uint16_t flags;
    std::size_t longest;
    const msghdr* first;  // of the body length 0; each next one is 4 bytes longer
    Body* body;
  };

  SealedRequests() = default;
  Result<void> OpenSockets(bool has_xfrm);
  Result<void> Fill();
  void Return(std::size_t position);

  std::vector<Kind> kinds_;
  std::vector<std::unique_ptr<Body>> bodies_;
  std::vector<Fixed> fixed_;
  std::mutex mutex_;  // for Fixed::taken
  std::condition_variable freed_;
};

}  // namespace finwait::kernel::netlink
