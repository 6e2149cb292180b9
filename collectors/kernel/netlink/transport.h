#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/base/unique_fd.h"
#include "collectors/kernel/netlink/attributes.h"

namespace finwait::kernel::netlink {

/// One datagram from the kernel. `bytes` stay valid until the next Receive.
struct Datagram {
  Bytes bytes;
  std::uint32_t sender_port = 0;  ///< 0 is the kernel; anything else is another process and not to be believed
  bool truncated = false;         ///< MSG_TRUNC: the datagram was larger than the buffer and its end is lost
};

/// Carries datagrams to the kernel and back. The seam for tests: a fake kernel answers with canned or broken bytes.
class Transport {
 public:
  virtual ~Transport() = default;
  /// Sends one datagram of one or more complete requests.
  virtual Result<void> Send(Bytes datagram, Deadline deadline) = 0;
  /// Waits for the next datagram. kTimeout once the deadline has passed; errno ENOBUFS when the kernel dropped
  /// datagrams because they were not read fast enough.
  virtual Result<Datagram> Receive(Deadline deadline) = 0;
  /// The port (nl_pid) that answers are addressed to.
  virtual std::uint32_t Port() const = 0;
};

/// A real AF_NETLINK socket that asks and is answered: with SealedTransport the only place in this program that sends
/// to the kernel's netlink. Refuses to send any message type that is not in read_requests.h.
class SocketTransport : public Transport {
 public:
  /// Opens and binds a socket of `protocol` in the calling thread's network namespace.
  static Result<std::unique_ptr<SocketTransport>> Open(int protocol);

  Result<void> Send(Bytes datagram, Deadline deadline) override;
  Result<Datagram> Receive(Deadline deadline) override;
  std::uint32_t Port() const override { return port_; }

 private:
  SocketTransport(UniqueFd fd, int protocol, std::uint32_t port);
  Result<void> WaitFor(short events, Deadline deadline, const char* operation);

  UniqueFd fd_;
  int protocol_;
  std::uint32_t port_;
  std::vector<std::byte> buffer_;
};

}  // namespace finwait::kernel::netlink
