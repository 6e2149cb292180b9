#pragma once

#include <sys/socket.h>

#include <condition_variable>
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
/// nothing there for an order. One number means two things: type 20 is SOCK_DIAG_BY_FAMILY to one protocol, RTM_NEWADDR
/// to another. So headers of that protocol are apart, and its sockets are made here, under numbers that nothing else
/// can get: see Boundaries.
///
/// Make() it before other threads; it lives as long as the process. Thread-safe.
class SealedRequests {
 public:
  /// What a filter of system calls has to know, so that it holds (privilege/allowed_calls.h).
  struct Boundaries {
    // sendmsg(): (address & mask) == value.
    std::uint64_t any_mask = 0;
    std::uint64_t any_value = 0;
    std::uint64_t diag_mask = 0;  ///< only to sockets from kFirstDiagSocket to kLastDiagSocket
    std::uint64_t diag_value = 0;
    /// Nothing below may be unmapped, moved, protected anew or mapped over.
    std::uint64_t end = 0;
  };
  /// No new descriptor gets a number from here on.
  static constexpr int kFirstFixed = 512;
  static constexpr int kFirstDiagSocket = kFirstFixed;
  static constexpr int kLastDiagSocket = 2 * kFirstFixed - 1;
  /// The sequence number of every request.
  static constexpr std::uint32_t kSequence = 1;
  /// The most bytes behind a header.
  static constexpr std::size_t kLongestBody = 1024;

  /// Fails where there is no such memory to be had, or no such descriptor.
  static Result<std::shared_ptr<SealedRequests>> Make();
  ~SealedRequests() = default;
  SealedRequests(const SealedRequests&) = delete;
  SealedRequests& operator=(const SealedRequests&) = delete;

  Boundaries Limits() const;

  /// Sends one message, header included, whose type, flags and length must be on the list: EPERM otherwise. Returns
  /// what sendmsg does.
  ssize_t Send(int socket, int protocol, Bytes message);

  /// A socket of NETLINK_SOCK_DIAG, for one user at a time, and drained when it comes back.
  class DiagSocket {
   public:
    DiagSocket(SealedRequests& owner, std::size_t position) : owner_(&owner), position_(position) {}
    DiagSocket(DiagSocket&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), position_(other.position_) {}
    DiagSocket& operator=(DiagSocket&&) = delete;
    ~DiagSocket() {
      if (owner_ != nullptr) {
        owner_->Return(position_);
      }
    }
    int Fd() const { return owner_->diag_[position_].fd.Get(); }
    std::uint32_t Port() const { return owner_->diag_[position_].port; }

   private:
    SealedRequests* owner_;
    std::size_t position_;
  };
  /// Waits for one that is free; kTimeout where none is.
  Result<DiagSocket> TakeDiagSocket(Deadline deadline);

 private:
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
  Result<void> OpenDiagSockets();
  Result<void> Fill();
  void Return(std::size_t position);

  std::vector<Kind> kinds_;
  std::vector<std::unique_ptr<Body>> bodies_;
  std::vector<BoundSocket> diag_;
  std::mutex mutex_;  // for free_
  std::condition_variable freed_;
  std::vector<std::size_t> free_;
};

}  // namespace finwait::kernel::netlink
