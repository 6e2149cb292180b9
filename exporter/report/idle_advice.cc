#include "exporter/report/idle_advice.h"

#include <algorithm>
#include <string>

#include "exporter/report/phrases.h"

namespace finwait::report {
namespace {

using diagnosis::IdleSummary;
using diagnosis::kTimeoutLadder;
using diagnosis::ServiceIdle;

// Services beyond these are not named in one statement.
constexpr std::size_t kMostNamed = 3;

std::string PortOf(const ServiceIdle& service) {
  return (service.at_peer ? "to peers' port " : "on port ") + std::to_string(service.port);
}

// " (40 to peers' port 5432, 2 on port 22)": whose connections a timeout would forget.
std::string ByPort(const IdleSummary& idle, std::size_t step) {
  std::string text;
  std::size_t named = 0;
  for (const ServiceIdle& service : idle.services) {
    if (service.outlived_without_keepalive[step] > 0 && named++ < kMostNamed) {
      text += (text.empty() ? " (" : ", ") + std::to_string(service.outlived_without_keepalive[step]) + " " +
              PortOf(service);
    }
  }
  return text.empty() ? text : text + (named > kMostNamed ? ", and others)" : ")");
}

// In whole minutes, longer than the longest silence.
std::uint64_t SafeTimeout(const IdleSummary& idle) {
  return (std::uint64_t{idle.longest_needed_seconds} / 60 + 1) * 60;
}

// Of TCP_KEEPIDLE: half of the shortest timeout in force, and never more than outlives the timeouts of clouds.
std::uint64_t KeepaliveTime(const IdleSummary& idle, const sources::SysctlSample* sysctl) {
  std::int64_t shortest = 240;
  const auto established =
      sysctl != nullptr ? sysctl->Timeout(sources::ConntrackTcpTimeout::kEstablished) : std::nullopt;
  if (established) {
    shortest = std::min<std::int64_t>(shortest, established->count());
  }
  if (idle.shortest_timeout_seconds) {
    shortest = std::min<std::int64_t>(shortest, *idle.shortest_timeout_seconds);
  }
  for (const diagnosis::PathIdle& path : idle.paths) {
    shortest = std::min<std::int64_t>(shortest, path.path.timeout.count());
  }
  return static_cast<std::uint64_t>(std::max<std::int64_t>(shortest / 2, 1));
}

// "TCP_KEEPIDLE = 120", and TCP_KEEPINTVL where that comes later: the probe after one that was answered waits for it.
std::string KeepaliveSettings(const IdleSummary& idle, const sources::SysctlSample* sysctl) {
  constexpr std::int64_t kKernelsInterval = 75;
  const std::uint64_t time = KeepaliveTime(idle, sysctl);
  const std::int64_t interval =
      sysctl != nullptr && sysctl->tcp_keepalive_interval ? sysctl->tcp_keepalive_interval->count() : kKernelsInterval;
  const std::string text = "TCP_KEEPIDLE = " + std::to_string(time);
  return static_cast<std::int64_t>(time) >= interval ? text : text + " and TCP_KEEPINTVL = " + std::to_string(time);
}

}  // namespace

std::vector<Statement> IdleAdvice(const IdleSummary& idle, const sources::SysctlSample* sysctl) {
  std::vector<Statement> out;
  for (const diagnosis::PathIdle& path : idle.paths) {
    if (path.expiring > 0) {
      out.push_back({"The path to " + path.path.network + " forgets connections after " +
                         std::to_string(path.path.timeout.count()) + " s (--path.timeout), and " +
                         Counted(path.expiring, "connection there has", "connections there have") +
                         " been silent for longer: taken for forgotten.",
                     "", "", "path_forgets"});
    }
  }
  if (idle.longest_needed_seconds <= kTimeoutLadder.front()) {
    return out;
  }
  std::string text = "A timeout of " + std::to_string(SafeTimeout(idle)) +
                     " s would have forgotten none of the connections seen: the longest silence, or time until a "
                     "keepalive, is " +
                     std::to_string(idle.longest_needed_seconds) + " s.";
  for (std::size_t i = 0; i < kTimeoutLadder.size(); ++i) {
    if (idle.outlived_without_keepalive[i] > 0) {
      text += " " + std::to_string(kTimeoutLadder[i]) + " s would have forgotten " +
              std::to_string(idle.outlived_without_keepalive[i]) + ByPort(idle, i) + ".";
    }
  }
  out.push_back({std::move(text), "", "", "safe_timeout"});
  std::size_t named = 0;
  for (const ServiceIdle& service : idle.services) {
    const std::uint64_t too_late = service.outlived_without_keepalive.front();
    if (too_late == 0 || named++ == kMostNamed) {
      break;
    }
    const std::uint64_t off = service.by_keepalive[static_cast<std::size_t>(diagnosis::Keepalive::kOff)];
    out.push_back({"Or, for the " + Counted(too_late, "silent connection ", "silent connections ") + PortOf(service) +
                       " (longest " + std::to_string(service.longest_seconds) + " s; keepalive is off on " +
                       std::to_string(off) + " of " + std::to_string(service.sockets) +
                       "): switch TCP keepalive on in the application, with " + KeepaliveSettings(idle, sysctl) + ".",
                   "", "", "idle_keepalive"});
  }
  return out;
}

std::vector<Statement> ForgottenByPaths(const diagnosis::StuckSummary& stuck, const IdleSummary& idle) {
  std::vector<Statement> out;
  for (const diagnosis::PathIdle& path : idle.paths) {
    std::uint64_t forgotten = 0;
    for (const diagnosis::StuckSocket& one : stuck.sockets) {
      // A FIN carries no data, so that the idle time goes on while it is retried.
      forgotten += one.cause == diagnosis::Cause::kNoReply && path.path.Covers(one.socket.peer.address) &&
                           one.socket.idle && *one.socket.idle - one.age > path.path.timeout
                       ? 1
                       : 0;
    }
    if (forgotten > 0) {
      out.push_back({"The path forgot " + Counted(forgotten, "of these sockets", "of these sockets") +
                     " (no_reply): silent for more than the " + std::to_string(path.path.timeout.count()) +
                     " s that the path to " + path.path.network + " remembers (--path.timeout)."});
    }
  }
  return out;
}

}  // namespace finwait::report
