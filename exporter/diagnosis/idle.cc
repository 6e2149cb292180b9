#include "exporter/diagnosis/idle.h"

#include <algorithm>
#include <functional>
#include <map>

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

void AddEach(const LadderCounts& more, LadderCounts& sum) {
  for (std::size_t i = 0; i < sum.size(); ++i) {
    sum[i] += more[i];
  }
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

void ServiceIdle::Add(const ServiceIdle& other) {
  sockets += other.sockets;
  longest_seconds = std::max(longest_seconds, other.longest_seconds);
  AddEach(other.outlived_without_keepalive, outlived_without_keepalive);
  AddEach(other.spoke_again, spoke_again);
  for (std::size_t i = 0; i < by_keepalive.size(); ++i) {
    by_keepalive[i] += other.by_keepalive[i];
  }
}

void IdleSummary::SortServices() {
  const auto forgotten = [](const ServiceIdle& service) {
    LadderCounts counts;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      counts[i] = service.Forgotten(i);
    }
    return counts;
  };
  std::ranges::stable_sort(services, std::greater(), forgotten);
  if (services.size() > kMostServices) {
    services.resize(kMostServices);
  }
}

IdleSummary SumUpIdle(const kernel::SocketTable& sockets, std::span<const std::uint32_t> namespaces,
                      const IdleHistory& history, const IdleContext& context, SteadyClock::time_point now) {
  IdleSummary summary;
  summary.last_24_hours = history.Last24Hours(now);
  summary.longest_needed_seconds = summary.last_24_hours.largest_seconds;
  summary.longest_needed_half_closed_seconds = summary.last_24_hours.largest_half_closed_seconds;
  for (const PathTimeout& path : context.paths) {
    summary.paths.push_back({path, 0});
  }
  constexpr std::size_t kMostToldApart = 4096;  // beyond these a service is not listed
  std::map<IdleService, ServiceIdle> services;
  ServiceIdle unlisted;
  for (std::size_t i = 0; i < sockets.Size(); ++i) {
    const kernel::TcpSocket socket = sockets[i];
    const auto silence = socket.IsOpen() ? history.Of(socket) : std::nullopt;
    if (!silence) {
      continue;
    }
    ++summary.sockets;
    summary.idle.Add(silence->seconds);
    const IdleService key = IdleServiceOf(socket, namespaces.empty() ? 0 : namespaces[i]);
    ServiceIdle& service = services.size() < kMostToldApart || services.contains(key) ? services[key] : unlisted;
    ++service.sockets;
    service.longest_seconds = std::max(service.longest_seconds, silence->seconds);
    const bool both_ways = socket.state == kernel::TcpState::kEstablished;
    summary.half_closed += both_ways ? 0 : 1;
    for (std::size_t step = 0; step < kTimeoutLadder.size() && silence->seconds > kTimeoutLadder[step]; ++step) {
      ++summary.outlived[step];
      if (both_ways && (!silence->keepalive_seconds || *silence->keepalive_seconds >= kTimeoutLadder[step])) {
        ++summary.outlived_without_keepalive[step];
        ++service.outlived_without_keepalive[step];
      }
    }
    std::uint32_t& longest = both_ways ? summary.longest_needed_seconds : summary.longest_needed_half_closed_seconds;
    longest = std::max({longest, silence->seconds, silence->keepalive_seconds.value_or(0)});
    const bool is_active = context.conntrack_active[static_cast<std::size_t>(socket.local.address.Family())];
    const auto of_entry = TimeoutOfEntry(socket, *silence, context.sysctl);
    const Keepalive keepalive =
        KeepaliveOf(*silence, TimeoutInForce(socket, of_entry, context.sysctl, is_active, context.paths));
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
  for (const auto& [service, counts] : summary.last_24_hours.by_service) {
    services[service].spoke_again = counts;
  }
  summary.services.reserve(services.size());
  for (auto& [key, service] : services) {
    service.service = key;
    summary.services.push_back(service);
  }
  summary.SortServices();
  return summary;
}

void Add(const IdleSummary& others, IdleSummary& own) {
  for (std::size_t i = 0; i < own.idle.counts.size(); ++i) {
    own.idle.counts[i] += others.idle.counts[i];
  }
  own.idle.sum += others.idle.sum;
  own.sockets += others.sockets;
  own.untold += others.untold;
  AddEach(others.outlived, own.outlived);
  AddEach(others.outlived_without_keepalive, own.outlived_without_keepalive);
  for (std::size_t i = 0; i < own.by_keepalive.size(); ++i) {
    own.by_keepalive[i] += others.by_keepalive[i];
  }
  if (others.shortest_timeout_seconds) {
    own.shortest_timeout_seconds = std::min(own.shortest_timeout_seconds.value_or(*others.shortest_timeout_seconds),
                                            *others.shortest_timeout_seconds);
  }
  for (std::size_t i = 0; i < own.paths.size(); ++i) {
    own.paths[i].expiring += others.paths[i].expiring;
  }
  own.last_24_hours.Add(others.last_24_hours);
  own.longest_needed_seconds = std::max(own.longest_needed_seconds, others.longest_needed_seconds);
  own.longest_needed_half_closed_seconds =
      std::max(own.longest_needed_half_closed_seconds, others.longest_needed_half_closed_seconds);
  own.half_closed += others.half_closed;
  own.services.insert(own.services.end(), others.services.begin(), others.services.end());
  own.SortServices();
}

}  // namespace finwait::diagnosis
