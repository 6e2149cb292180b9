#pragma once

#include <cstddef>
#include <cstdint>

#include "collectors/base/result.h"
#include "collectors/base/unique_fd.h"

namespace finwait::kernel::netlink {

/// A netlink socket, not blocking, and the port that answers to it are addressed to.
struct BoundSocket {
  UniqueFd fd;
  std::uint32_t port = 0;
};

/// One of `protocol` in the calling thread's network namespace.
Result<BoundSocket> OpenBoundSocket(int protocol);

/// One that somebody else has opened and bound: another process, in another network namespace.
Result<BoundSocket> UseBoundSocket(UniqueFd fd);

/// Waits until `socket` is ready for `events` of poll(2). `operation` names what waits in errors.
Result<void> WaitFor(int socket, short events, Deadline deadline, const char* operation);

/// The kernel caps a dump's buffers at 32 KiB; a single answer (a set with its description, a long rule) may be larger.
/// Below 4 KiB ctnetlink loses entries without a word.
inline constexpr std::size_t kReceiveBuffer = std::size_t{64} * 1024;

}  // namespace finwait::kernel::netlink
