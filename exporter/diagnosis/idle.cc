#include "exporter/diagnosis/idle.h"

#include <algorithm>
#include <functional>
#include <map>

namespace finwait::diagnosis {
namespace {

Keepalive KeepaliveOf(const Silence& silence, std::optional<std::uint32_t> timeout) {
  if (!silence.keepalive_seconds) {
    return Keepalive::kOff;
  }
  return timeout && *silence.keepalive_seconds >= *timeout ? Keepalive::kLonger : Keepalive::kSufficient;
}

// What `timeout` does to a connection that is open both ways.
void Hold(const Silence& silence, std::uint32_t timeout, TimeoutEffect& effect) {
  ++effect.sockets;
  if (silence.seconds > timeout) {
    ++effect.forgotten;
  } else if (!silence.keepalive_seconds) {
    ++effect.without_keepalive;
  } else if (*silence.keepalive_seconds >= timeout) {
    ++effect.late_keepalive;
  }
}

void AddEach(const LadderCounts& more, LadderCounts& sum) {
  for (std::size_t i = 0; i < sum.size(); ++i) {
    sum[i] += more[i];
  }
}

// Counts what the timeouts in force do to a connection that is open both ways.
void HoldAgainst(const TimeoutInForce& timeout, const kernel::TcpSocket& socket, const Silence& silence,
                 std::uint32_t needed, IdleSummary& summary, ServiceIdle& service) {
  if (timeout.shortest) {
    Hold(silence, *timeout.shortest, service.in_force);
    Hold(silence, *timeout.shortest, summary.in_force);
  }
  if (timeout.path) {
    PathIdle& path = summary.paths[*timeout.path];
    const auto seconds = static_cast<std::uint32_t>(path.path.timeout.count());
    Hold(silence, seconds, path.effect);
    if (*timeout.path < service.paths.size()) {
      Hold(silence, seconds, service.paths[*timeout.path]);
    }
    path.longest_needed_seconds = std::max(path.longest_needed_seconds, needed);
  }
  if (!timeout.local) {
    return;
  }
  Hold(silence, *timeout.local, timeout.is_own ? summary.own : summary.local);
  if (!timeout.is_own) {
    Hold(silence, *timeout.local, service.local);
  }
  if (socket.entry.tracking == kernel::Tracking::kTracked) {
    if (socket.entry.state == kernel::ConntrackTcpState::kEstablished) {
      summary.shortest_timeout_seconds =
          std::min(summary.shortest_timeout_seconds.value_or(*timeout.local), *timeout.local);
    }
  } else if (socket.entry.tracking == kernel::Tracking::kUntracked) {
    constexpr std::uint32_t kSlack = 2;  // whole seconds, and the entry was asked for after the socket
    summary.missing_entries += silence.seconds + kSlack < *timeout.local ? 1 : 0;
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

void TimeoutEffect::Add(const TimeoutEffect& other) {
  sockets += other.sockets;
  forgotten += other.forgotten;
  late_keepalive += other.late_keepalive;
  without_keepalive += other.without_keepalive;
  spoke_again += other.spoke_again;
}

void ServiceIdle::Add(const ServiceIdle& other) {
  sockets += other.sockets;
  longest_seconds = std::max(longest_seconds, other.longest_seconds);
  AddEach(other.outlived_without_keepalive, outlived_without_keepalive);
  AddEach(other.spoke_again, spoke_again);
  in_force.Add(other.in_force);
  local.Add(other.local);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    paths[i].Add(other.paths[i]);
  }
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

namespace {

// Adds up silent connections, one after the other.
class IdleTally {
 public:
  IdleTally(const IdleHistory& history, const IdleContext& context, SteadyClock::time_point now)
      : history_(history), context_(context) {
    summary_.last_24_hours = history.Last24Hours(now);
    const SilenceSketch::Summary& past = summary_.last_24_hours;
    summary_.longest_needed_seconds = past.largest_seconds;
    summary_.longest_needed_half_closed_seconds = past.largest_half_closed_seconds;
    summary_.local.spoke_again = past.spoke_again.than_local;
    summary_.own.spoke_again = past.spoke_again.than_own;
    summary_.in_force.spoke_again = past.spoke_again.in_force;
    summary_.watched = history.Watched();
    for (const PathTimeout& path : context.paths) {
      const std::size_t i = summary_.paths.size();
      PathIdle& idle = summary_.paths.emplace_back();
      idle.path = path;
      if (i < kMostPaths) {
        idle.effect.spoke_again = past.spoke_again.than_path[i];
        idle.longest_needed_seconds = past.largest_path_seconds[i];
      }
    }
  }

  void Add(const kernel::TcpSocket& socket, std::uint32_t network_namespace) {
    const auto silence = socket.IsOpen() ? history_.Of(socket) : std::nullopt;
    if (!silence) {
      return;
    }
    ++summary_.sockets;
    summary_.idle.Add(silence->seconds);
    ServiceIdle& service = Of(IdleServiceOf(socket, network_namespace));
    ++service.sockets;
    service.longest_seconds = std::max(service.longest_seconds, silence->seconds);
    const bool both_ways = socket.state == kernel::TcpState::kEstablished;
    summary_.half_closed += both_ways ? 0 : 1;
    AddOutlived(*silence, both_ways, service);
    const std::uint32_t needed = std::max(silence->seconds, silence->keepalive_seconds.value_or(0));
    std::uint32_t& longest = both_ways ? summary_.longest_needed_seconds : summary_.longest_needed_half_closed_seconds;
    longest = std::max(longest, needed);
    const TimeoutInForce timeout = TimeoutInForceOf(socket, silence->seconds, context_);
    const Keepalive keepalive = KeepaliveOf(*silence, timeout.shortest);
    ++summary_.by_keepalive[static_cast<std::size_t>(keepalive)];
    ++service.by_keepalive[static_cast<std::size_t>(keepalive)];
    if (timeout.path) {
      PathIdle& path = summary_.paths[*timeout.path];
      path.expiring += std::chrono::seconds(silence->seconds) > path.path.timeout ? 1 : 0;
    }
    if (both_ways) {
      HoldAgainst(timeout, socket, *silence, needed, summary_, service);
    }
  }

  IdleSummary Take() {
    for (const auto& [key, counts] : summary_.last_24_hours.by_service) {
      ServiceIdle& service = services_[key];
      service.spoke_again = counts.longer;
      service.in_force.spoke_again = counts.in_force;
      service.local.spoke_again = counts.than_local;
      for (std::size_t i = 0; i < kMostPaths; ++i) {
        service.paths[i].spoke_again = counts.than_path[i];
      }
    }
    summary_.services.reserve(services_.size());
    for (auto& [key, service] : services_) {
      service.service = key;
      summary_.services.push_back(service);
    }
    summary_.SortServices();
    return std::move(summary_);
  }

 private:
  // Beyond so many a service is not listed.
  static constexpr std::size_t kMostToldApart = 4096;

  ServiceIdle& Of(const IdleService& key) {
    return services_.size() < kMostToldApart || services_.contains(key) ? services_[key] : unlisted_;
  }

  void AddOutlived(const Silence& silence, bool both_ways, ServiceIdle& service) {
    for (std::size_t step = 0; step < kTimeoutLadder.size() && silence.seconds > kTimeoutLadder[step]; ++step) {
      ++summary_.outlived[step];
      if (both_ways && (!silence.keepalive_seconds || *silence.keepalive_seconds >= kTimeoutLadder[step])) {
        ++summary_.outlived_without_keepalive[step];
        ++service.outlived_without_keepalive[step];
      }
    }
  }

  const IdleHistory& history_;
  const IdleContext& context_;
  IdleSummary summary_;
  std::map<IdleService, ServiceIdle> services_;
  ServiceIdle unlisted_;
};

}  // namespace

IdleSummary SumUpIdle(const kernel::SocketTable& sockets, std::span<const std::uint32_t> namespaces,
                      const IdleHistory& history, const IdleContext& context, SteadyClock::time_point now) {
  IdleTally tally(history, context, now);
  for (std::size_t i = 0; i < sockets.Size(); ++i) {
    tally.Add(sockets[i], namespaces.empty() ? 0 : namespaces[i]);
  }
  return tally.Take();
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
    own.paths[i].effect.Add(others.paths[i].effect);
    own.paths[i].longest_needed_seconds =
        std::max(own.paths[i].longest_needed_seconds, others.paths[i].longest_needed_seconds);
  }
  own.local.Add(others.local);
  own.in_force.Add(others.in_force);
  own.own.Add(others.own);
  own.missing_entries += others.missing_entries;
  own.watched = std::max(own.watched, others.watched);
  own.last_24_hours.Add(others.last_24_hours);
  own.longest_needed_seconds = std::max(own.longest_needed_seconds, others.longest_needed_seconds);
  own.longest_needed_half_closed_seconds =
      std::max(own.longest_needed_half_closed_seconds, others.longest_needed_half_closed_seconds);
  own.half_closed += others.half_closed;
  own.services.insert(own.services.end(), others.services.begin(), others.services.end());
  own.SortServices();
}

}  // namespace finwait::diagnosis
