#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "collectors/kernel/netlink/sealed_requests.h"
#include "collectors/kernel/netlink/transport.h"

namespace finwait::kernel::netlink {

/// As SocketTransport, with headers that are sealed: each request is sent by itself, and answers get the sequence
/// number back that the request had here.
class SealedTransport : public Transport {
 public:
  /// Opens a socket of `protocol` in the calling thread's network namespace, which must be the one that `requests` was
  /// made in.
  static Result<std::unique_ptr<Transport>> Open(std::shared_ptr<SealedRequests> requests, int protocol);

  /// The same by a socket that somebody else has opened and bound, in whichever namespace; of a protocol that is not
  /// apart (SealedRequests::IsApart).
  static Result<std::unique_ptr<Transport>> Adopt(std::shared_ptr<SealedRequests> requests, int protocol,
                                                  UniqueFd socket);

  Result<void> Send(Bytes datagram, Deadline deadline) override;
  Result<Datagram> Receive(Deadline deadline) override;
  std::uint32_t Port() const override { return fixed_ ? fixed_->Port() : own_.port; }

 private:
  SealedTransport(std::shared_ptr<SealedRequests> requests, int protocol);
  int Fd() const { return fixed_ ? fixed_->Fd() : own_.fd.Get(); }
  Result<void> SendOne(Bytes message, Deadline deadline);
  void RestoreSequenceNumbers(std::size_t size);

  std::shared_ptr<SealedRequests> requests_;
  int protocol_;
  BoundSocket own_;                                   // none where it is
  std::optional<SealedRequests::FixedSocket> fixed_;  // one of these
  std::deque<std::uint32_t> unanswered_;              // sequence numbers, in the order of the requests
  std::vector<std::byte> buffer_;
};

}  // namespace finwait::kernel::netlink
