#include "exporter/diagnosis/idle.h"

#include <algorithm>
#include <map>
#include <utility>

#include "exporter/diagnosis/entry_timeout.h"

namespace finwait::diagnosis {
namespace {

// What its entry is given with each packet: a policy's timeout (ct timeout), or the sysctl's. Nothing without an entry.
std::optional<std::uint32_t> TimeoutOfEntry(const kernel::TcpSocket& socket, const Silence& silence,
                                            const sources::SysctlSample* sysctl) {
  if (socket.entry.tracking != kernel::Tracking::kTracked) {
    return std::nullopt;
  }
  const std::chrono::seconds at_most(std::uint64_t{socket.entry.remaining_seconds} + silence.seconds);
  const auto setting = socket.entry.state && sysctl != nullptr ? TimeoutOf(*socket.entry.state, *sysctl) : std::nullopt;
  const auto timeout = EntryTimeout(socket.entry.remaining_seconds, at_most).Length(setting);
  return timeout ? std::optional(static_cast<std::uint32_t>(timeout->count())) : std::nullopt;
}

// After which silence conntrack here or a path forgets the connection; nothing where neither does, or nobody can tell.
// `timeout`: its entry's.
std::optional<std::uint32_t> TimeoutInForce(const kernel::TcpSocket& socket, std::optional<std::uint32_t> timeout,
                                            const sources::SysctlSample* sysctl, bool active,
                                            std::span<const PathTimeout> paths) {
  if (!timeout && active && sysctl != nullptr) {
    const auto established = sysctl->Timeout(sources::ConntrackTcpTimeout::kEstablished);
    timeout = established ? std::optional(static_cast<std::uint32_t>(established->count())) : std::nullopt;
  }
  for (const PathTimeout& path : paths) {
    if (path.Covers(socket.peer.address)) {
      const auto seconds = static_cast<std::uint32_t>(path.timeout.count());
      timeout = std::min(timeout.value_or(seconds), seconds);
    }
  }
  return timeout;
}

Keepalive KeepaliveOf(const Silence& silence, std::optional<std::uint32_t> timeout) {
  if (!silence.keepalive_seconds) {
    return Keepalive::kOff;
  }
  return timeout && *silence.keepalive_seconds >= *timeout ? Keepalive::kLonger : Keepalive::kSufficient;
}

// Who opened a connection went to a port that is known; where that cannot be told, the lower one is.
std::pair<bool, std::uint16_t> ServiceOf(const kernel::TcpSocket& socket) {
  const bool at_peer = socket.opened_here.value_or(socket.peer.port < socket.local.port);
  return {at_peer, at_peer ? socket.peer.port : socket.local.port};
}

}  // namespace

std::string_view Name(Keepalive keepalive) {
  switch (keepalive) {
    case Keepalive::kOff:
      return "off";
    case Keepalive::kLonger:
      return "longer";
    case Keepalive::kSufficient:
      return "sufficient";
  }
  return "";
}

IdleSummary SumUpIdle(const sources::TrackingSample& sample, const IdleHistory& history,
                      const sources::SysctlSample* sysctl, const std::array<bool, 2>& active,
                      std::span<const PathTimeout> paths, SteadyClock::time_point now) {
  IdleSummary summary;
  summary.last_24_hours = history.Last24Hours(now);
  summary.longest_needed_seconds = summary.last_24_hours.largest_seconds;
  for (const PathTimeout& path : paths) {
    summary.paths.push_back({path, 0});
  }
  std::map<std::pair<bool, std::uint16_t>, ServiceIdle> services;
  for (const kernel::TcpSocket& socket : sample.sockets) {
    const auto silence = socket.IsOpen() ? history.Of(socket) : std::nullopt;
    if (!silence) {
      continue;
    }
    ++summary.sockets;
    summary.idle.Add(silence->seconds);
    const auto key = ServiceOf(socket);
    ServiceIdle& service = services[key];
    service.at_peer = key.first;
    service.port = key.second;
    ++service.sockets;
    service.longest_seconds = std::max(service.longest_seconds, silence->seconds);
    for (std::size_t i = 0; i < kTimeoutLadder.size(); ++i) {
      const std::uint32_t timeout = kTimeoutLadder[i];
      if (silence->seconds > timeout) {
        ++summary.outlived[i];
        if (!silence->keepalive_seconds || *silence->keepalive_seconds >= timeout) {
          ++summary.outlived_without_keepalive[i];
          ++service.outlived_without_keepalive[i];
        }
      }
    }
    const std::uint32_t needed = std::max(silence->seconds, silence->keepalive_seconds.value_or(0));
    summary.longest_needed_seconds = std::max(summary.longest_needed_seconds, needed);
    const bool is_active = active[static_cast<std::size_t>(socket.local.address.Family())];
    const auto of_entry = TimeoutOfEntry(socket, *silence, sysctl);
    const Keepalive keepalive = KeepaliveOf(*silence, TimeoutInForce(socket, of_entry, sysctl, is_active, paths));
    if (of_entry && socket.entry.state == kernel::ConntrackTcpState::kEstablished) {
      summary.shortest_timeout_seconds = std::min(summary.shortest_timeout_seconds.value_or(*of_entry), *of_entry);
    }
    ++summary.by_keepalive[static_cast<std::size_t>(keepalive)];
    ++service.by_keepalive[static_cast<std::size_t>(keepalive)];
    for (PathIdle& path : summary.paths) {
      path.expiring +=
          path.path.Covers(socket.peer.address) && std::chrono::seconds(silence->seconds) > path.path.timeout ? 1 : 0;
    }
  }
  for (const auto& [key, service] : services) {
    summary.services.push_back(service);
  }
  std::ranges::stable_sort(summary.services, [](const ServiceIdle& a, const ServiceIdle& b) {
    return a.outlived_without_keepalive > b.outlived_without_keepalive;
  });
  if (summary.services.size() > IdleSummary::kMostServices) {
    summary.services.resize(IdleSummary::kMostServices);
  }
  return summary;
}

}  // namespace finwait::diagnosis
