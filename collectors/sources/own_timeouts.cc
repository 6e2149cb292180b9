#include "collectors/sources/own_timeouts.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>

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

OwnTimeouts::OwnTimeouts(const kernel::SocketTable& sockets, const Settings& settings) {
  constexpr std::uint64_t kRounding = 3;  // whole seconds, and the entry was read a moment after the socket
  for (std::size_t i = 0; i < sockets.Size(); ++i) {
    if (sockets.TrackingOf(i) != kernel::Tracking::kTracked) {
      continue;
    }
    const kernel::TcpSocket socket = sockets[i];
    const auto& setting = socket.entry.state == kernel::ConntrackTcpState::kEstablished ? settings.established
                          : socket.entry.state == kernel::ConntrackTcpState::kCloseWait ? settings.close_wait
                                                                                        : std::nullopt;
    if (!socket.IsOpen() || !socket.idle || !setting) {
      continue;
    }
    const std::uint64_t at_most =
        std::uint64_t{socket.entry.remaining_seconds} +
        static_cast<std::uint64_t>(std::chrono::floor<std::chrono::seconds>(*socket.idle).count());
    if (at_most + kRounding < *setting || socket.entry.remaining_seconds > *setting) {
      timeouts_.push_back({HashOf(socket.local, socket.peer), static_cast<std::uint32_t>(at_most)});
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
