#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "collectors/base/result.h"
#include "collectors/kernel/tcp_socket.h"

namespace finwait::kernel::namespaces {

/// One line of /proc/PID/net/tcp or tcp6. It has no cookie, and of what tcp_info tells nothing but how long the tries
/// so far have taken: whether the FIN was sent, or the peer's window is closed, is not there.
struct ProcSocket {
  TcpSocket socket;
  std::uint64_t inode = 0;   ///< of the process's descriptor; 0 for an orphan, and for a socket that has no process yet
  std::uint32_t unread = 0;  ///< bytes that the process has not read
};

/// Reads a line of tcp (IPv4) or tcp6. Nothing for the heading, for what is no connection (TCP_CLOSE), and for anything
/// that is not of the kernel's form.
std::optional<ProcSocket> ParseProcSocket(std::string_view line, IpFamily file);

/// Reads an open tcp or tcp6 from its start and calls `visit` for each socket. The descriptor stays in the namespace in
/// which the file was opened, and keeps it alive. A line that cannot be understood is an error, as the rest of the file
/// cannot be trusted then.
Result<void> ReadProcSockets(int descriptor, IpFamily file, Deadline deadline,
                             const std::function<void(const ProcSocket&)>& visit);

}  // namespace finwait::kernel::namespaces
