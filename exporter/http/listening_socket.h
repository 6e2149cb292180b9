#pragma once

#include <cstdint>

#include "collectors/base/result.h"
#include "collectors/base/unique_fd.h"
#include "exporter/http/listen_address.h"

namespace finwait::http {

/// A TCP socket that listens, non-blocking.
struct ListeningSocket {
  UniqueFd fd;
  std::uint16_t port = 0;  ///< the one it has, also where 0 was asked for
  ListenAddress address;   ///< as it was asked for, with that port
};

/// What is known of a socket that listens already, with the address that it has.
ListeningSocket MakeListeningSocket(UniqueFd fd);

/// Listens in the calling thread's network namespace. An empty host listens on every address of both families, or of
/// IPv4 alone where the kernel has no IPv6; "::" and every other IPv6 address take IPv6 alone. A name is looked up and
/// the first address taken, IPv4 before IPv6. SO_REUSEADDR lets a restart have its port back at once; SO_REUSEPORT is
/// never set, so that a port which another socket listens on is an error. Errors name the address and port.
Result<ListeningSocket> Listen(const ListenAddress& address);

}  // namespace finwait::http
