#include "collectors/host.h"

#include <sys/stat.h>

#include <cerrno>

#include "collectors/netlink/event_socket.h"

namespace finwait {

Result<Host> OpenHost(const std::filesystem::path& procfs) {
  struct stat status = {};
  // Not self/ns/net: that is the namespace of the process's first thread.
  const std::filesystem::path own_namespace = procfs / "thread-self/ns/net";
  if (::stat(own_namespace.c_str(), &status) != 0) {
    Error error = ErrnoError("--path.procfs=" + procfs.string() + ": cannot read thread-self/ns/net there", errno);
    error.message += "; give the directory where procfs is mounted, such as /proc";
    return Failure(std::move(error));
  }
  Host host;
  host.network_namespace = NetNamespace{status.st_ino};
  host.procfs = procfs;
  host.open_channel = &netlink::Channel::Open;
  host.open_events = &netlink::EventSocket::Open;
  return host;
}

}  // namespace finwait
