#include "exporter/report/idle_advice.h"

#include <algorithm>
#include <string>

#include "exporter/report/keepalive_terms.h"
#include "exporter/report/report_text.h"
#include "exporter/report/silent_services.h"

namespace finwait::report {
namespace {

using diagnosis::IdleSummary;
using diagnosis::kTimeoutLadder;
using diagnosis::ServiceIdle;

// "43 (...), and a connection in 5 silences within 24 hours, after which it spoke again (...)": connections `now`, and
// those that `spoke`, each counted once for every silence; nothing where none.
template <typename Now, typename Spoke>
std::string Forgotten(const IdleSummary& idle, std::uint64_t now, Now now_of, std::uint64_t spoke, Spoke spoke_of) {
  std::string text;
  if (now > 0) {
    text = std::to_string(now) + ByPort(idle, now_of);
  }
  if (spoke > 0) {
    text += (now > 0 ? ", and " : "") + ("a connection in " + Counted(spoke, "silence", "silences")) +
            " within 24 hours, after which it spoke again" + ByPort(idle, spoke_of);
  }
  return text;
}

// What that step of the ladder would have forgotten.
std::string ForgottenAt(const IdleSummary& idle, std::size_t step) {
  return Forgotten(
      idle, idle.outlived_without_keepalive[step],
      [&](const ServiceIdle& service) { return service.outlived_without_keepalive[step]; },
      idle.last_24_hours.spoke_again.longer[step],
      [&](const ServiceIdle& service) { return service.spoke_again[step]; });
}

// " 20 s, in force, has forgotten 40 (...).": where that is no step of the ladder.
std::string ForgottenInForce(const IdleSummary& idle, const sources::SysctlSample* sysctl) {
  const std::string forgotten = Forgotten(
      idle, idle.in_force.forgotten, [](const ServiceIdle& service) { return service.in_force.forgotten; },
      idle.in_force.spoke_again, [](const ServiceIdle& service) { return service.in_force.spoke_again; });
  if (forgotten.empty()) {
    return "";
  }
  std::string which = "What is in force";
  if (idle.paths.empty() && idle.own.sockets == 0) {
    const auto timeout = sysctl != nullptr ? sysctl->Timeout(sources::ConntrackTcpTimeout::kEstablished) : std::nullopt;
    if (!timeout || std::ranges::find(kTimeoutLadder, timeout->count()) != kTimeoutLadder.end()) {
      return "";
    }
    which = std::to_string(timeout->count()) + " s, in force,";
  }
  return " " + which + " has forgotten " + forgotten + ".";
}

// "60 and 240 s would have forgotten 43 (...).": steps that would have forgotten the same are one sentence.
std::string ForgottenByStep(const IdleSummary& idle) {
  std::string text;
  std::string steps;
  for (std::size_t step = 0; step < kTimeoutLadder.size(); ++step) {
    const std::string forgotten = ForgottenAt(idle, step);
    const bool last = step + 1 == kTimeoutLadder.size() || ForgottenAt(idle, step + 1) != forgotten;
    steps += (steps.empty() ? "" : last ? " and " : ", ") + std::to_string(kTimeoutLadder[step]);
    if (last) {
      text += forgotten.empty() ? "" : " " + steps + " s would have forgotten " + forgotten + ".";
      steps.clear();
    }
  }
  return text;
}

// Entries of connections that one end has closed: each of these states has a timeout of its own.
void AdviseHalfClosed(const IdleSummary& idle, const sources::SysctlSample& sysctl, std::vector<Statement>& out) {
  const auto close_wait = sysctl.Timeout(sources::ConntrackTcpTimeout::kCloseWait);
  const std::uint32_t longest = idle.longest_needed_half_closed_seconds;
  if (close_wait && longest > close_wait->count()) {
    out.push_back({"Of connections that the peer has closed and this host has not (CLOSE_WAIT, " +
                       std::to_string(idle.half_closed) + " now), the longest silence is " + std::to_string(longest) +
                       " s, and nf_conntrack_tcp_timeout_close_wait is " + std::to_string(close_wait->count()) +
                       " s: " + std::to_string(SafeTimeout(longest)) +
                       " s would have forgotten none of them. Better: the application closes when its peer has.",
                   "", "", "safe_close_wait_timeout"});
  }
  constexpr std::int64_t kLongestPause = 120;  // TCP_RTO_MAX
  const auto fin_wait = sysctl.Timeout(sources::ConntrackTcpTimeout::kFinWait);
  if (fin_wait && fin_wait->count() < kLongestPause) {
    out.push_back({"nf_conntrack_tcp_timeout_fin_wait is " + std::to_string(fin_wait->count()) +
                       " s, and the kernel waits for up to " + std::to_string(kLongestPause) +
                       " s between two tries of a FIN: an entry can end while its connection still closes. " +
                       std::to_string(kLongestPause) + " s is the kernel's default and long enough.",
                   "", "", "safe_fin_wait_timeout"});
  }
}

bool IsTimeoutAdvised(const IdleSummary& idle) {
  return idle.longest_needed_seconds > kTimeoutLadder.front() || !idle.in_force.IsSafe();
}

// Of TCP_KEEPIDLE: half of the shortest timeout in force and of the one advised, so that it fits whichever is applied,
// and never more than outlives the timeouts of clouds.
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
  if (IsTimeoutAdvised(idle)) {
    shortest = std::min<std::int64_t>(shortest, static_cast<std::int64_t>(SafeTimeout(idle.longest_needed_seconds)));
  }
  return static_cast<std::uint64_t>(std::max<std::int64_t>(shortest / 2, 1));
}

// "TCP_KEEPIDLE = 120 and TCP_KEEPINTVL = 75": the probe after one that was answered waits for the longer of the two.
std::string KeepaliveSettings(std::uint64_t time) {
  return "TCP_KEEPIDLE = " + std::to_string(time) + " and TCP_KEEPINTVL = " + std::to_string(KeepaliveInterval(time));
}

}  // namespace

std::vector<Statement> IdleAdvice(const IdleSummary& idle, const sources::SysctlSample* sysctl,
                                  const std::optional<TableLoad>& load) {
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
  if (IsTimeoutAdvised(idle)) {
    const std::uint64_t safe = SafeTimeout(idle.longest_needed_seconds);
    std::string text = "A timeout of " + std::to_string(safe) +
                       " s would have forgotten none of the connections seen: the longest silence, or time until a "
                       "keepalive, is " +
                       std::to_string(idle.longest_needed_seconds) + " s.";
    text += ForgottenInForce(idle, sysctl) + ForgottenByStep(idle);
    const std::string cost =
        load ? CostOfTimeout(safe, {load->connections_per_second, load->limit, std::max(load->entries, idle.sockets)})
             : "";
    out.push_back({text + (cost.empty() ? "" : " " + cost), "", "", "safe_timeout"});
  }
  if (sysctl != nullptr) {
    AdviseHalfClosed(idle, *sysctl, out);
  }
  const std::uint64_t time = KeepaliveTime(idle, sysctl);
  std::size_t named = 0;
  for (const ServiceIdle& service : idle.services) {
    const std::uint64_t too_late = std::max(service.in_force.forgotten + service.in_force.late_keepalive,
                                            service.outlived_without_keepalive.front());
    if (too_late == 0) {
      continue;
    }
    if (named++ == kMostServicesNamed) {
      break;
    }
    const auto count = [&](diagnosis::Keepalive keepalive) {
      return service.by_keepalive[static_cast<std::size_t>(keepalive)];
    };
    const std::uint64_t later = count(diagnosis::Keepalive::kLonger);
    const std::string terms = KeepaliveTerms(service, time);
    out.push_back({"Or, for the " + Counted(too_late, "silent connection ", "silent connections ") + PortOf(service) +
                       " (longest " + std::to_string(service.longest_seconds) + " s; keepalive is off on " +
                       std::to_string(count(diagnosis::Keepalive::kOff)) + " of " + std::to_string(service.sockets) +
                       (later > 0 ? ", and later than the timeout in force on " + std::to_string(later) : "") +
                       "): switch TCP keepalive on in the application, with " + KeepaliveSettings(time) + "." +
                       (terms.empty() ? "" : " " + terms),
                   "", "", "idle_keepalive"});
  }
  return out;
}

std::vector<std::uint64_t> CountForgottenByPaths(const diagnosis::StuckSummary& stuck, const IdleSummary& idle) {
  std::vector<diagnosis::PathTimeout> paths;
  for (const diagnosis::PathIdle& path : idle.paths) {
    paths.push_back(path.path);
  }
  std::vector<std::uint64_t> forgotten(paths.size());
  for (const diagnosis::StuckSocket& one : stuck.sockets) {
    const auto path = diagnosis::PathTo(one.socket.peer.address, paths);
    // Nothing has come from the peer since, so that its silence goes on while data and the FIN are retried: it had
    // lasted for so long when the first of these was sent.
    if (path && one.cause == diagnosis::Cause::kNoReply && one.socket.idle &&
        *one.socket.idle - one.age > paths[*path].timeout) {
      ++forgotten[*path];
    }
  }
  return forgotten;
}

std::vector<Statement> ForgottenByPaths(std::span<const std::uint64_t> forgotten, const IdleSummary& idle) {
  std::vector<Statement> out;
  for (std::size_t i = 0; i < forgotten.size(); ++i) {
    if (forgotten[i] > 0) {
      const diagnosis::PathTimeout& path = idle.paths[i].path;
      out.push_back({"The path forgot " + Counted(forgotten[i], "of these sockets", "of these sockets") +
                     " (no_reply): silent for more than the " + std::to_string(path.timeout.count()) +
                     " s that the path to " + path.network + " remembers (--path.timeout)."});
    }
  }
  return out;
}

}  // namespace finwait::report
