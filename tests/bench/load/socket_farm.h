#pragma once

#include <sys/types.h>

#include <cstddef>
#include <vector>

#include "tests/lab/namespace.h"

namespace finwait::bench {

/// Real TCP connections over the loopback of a network namespace, both ends held by children of this
/// process: mostly ESTABLISHED; of every hundred connections two half closed (a CLOSE_WAIT and a FIN_WAIT_2 each) and
/// one closed by both (a TIME_WAIT). One in eight connections is IPv6. Adds the addresses it uses (of 192.0.2.0/24 and
/// 2001:db8::/32) to `lo`. For namespaces of a test's own only.
class SocketFarm {
 public:
  /// Opens connections until there are about `sockets` sockets, in as many children as the limit of open files asks
  /// for. Throws when it cannot. They end with the calling thread at the latest.
  SocketFarm(const lab::Namespace& where, std::size_t sockets);
  /// Ends the children, and so closes everything.
  ~SocketFarm();
  SocketFarm(const SocketFarm&) = delete;
  SocketFarm& operator=(const SocketFarm&) = delete;

 private:
  std::vector<pid_t> children_;
};

}  // namespace finwait::bench
