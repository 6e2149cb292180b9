#include "collectors/sources/own_timeouts.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "collectors/sources/entry_timeout.h"

namespace finwait::sources {
namespace {

void Append(const Endpoint& end, std::string& bytes) {
  const auto address = end.address.Bytes();
  bytes.append(reinterpret_cast<const char*>(address.data()), address.size());
  bytes.push_back(static_cast<char>(end.port >> 8));
  bytes.push_back(static_cast<char>(end.port & 0xff));
}

std::uint64_t HashOf(const Endpoint& source, const Endpoint& destination) {
  std::string bytes;
  Append(source, bytes);
  Append(destination, bytes);
  return std::hash<std::string_view>()(bytes);
}

}  // namespace

OwnTimeouts::OwnTimeouts(const kernel::SocketTable& sockets, const SysctlSample& sysctl) {
  for (std::size_t i = 0; i < sockets.Size(); ++i) {
    if (sockets.TrackingOf(i) != kernel::Tracking::kTracked) {
      continue;
    }
    const kernel::TcpSocket socket = sockets[i];
    if (!socket.IsOpen() || !socket.idle || !socket.entry.state) {
      continue;
    }
    const std::chrono::seconds at_most =
        std::chrono::seconds(socket.entry.remaining_seconds) + std::chrono::floor<std::chrono::seconds>(*socket.idle);
    if (EntryTimeout(socket.entry.remaining_seconds, at_most).IsOwn(*socket.entry.state, sysctl)) {
      timeouts_.push_back({HashOf(socket.local, socket.peer), static_cast<std::uint32_t>(at_most.count())});
    }
  }
  std::ranges::sort(timeouts_, {}, &Timeout::ends);
}

std::optional<std::uint32_t> OwnTimeouts::Find(const Endpoint& source, const Endpoint& destination) const {
  if (timeouts_.empty()) {
    return std::nullopt;
  }
  const std::uint64_t ends = HashOf(source, destination);
  const auto found = std::ranges::lower_bound(timeouts_, ends, {}, &Timeout::ends);
  return found != timeouts_.end() && found->ends == ends ? std::optional(found->seconds) : std::nullopt;
}

}  // namespace finwait::sources
