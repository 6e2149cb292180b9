#include "exporter/report/timeout_verdict.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "exporter/report/report_text.h"
#include "exporter/report/silent_services.h"

namespace finwait::report {
namespace {

using diagnosis::IdleSummary;
using diagnosis::ServiceIdle;
using diagnosis::TimeoutEffect;

constexpr std::chrono::hours kMemory{24};

// "in the last 3 h": over which time that holds. In steps, so that a page which is looked at stays as it is.
std::string SeenWhen(const IdleSummary& idle) {
  constexpr std::chrono::minutes kStep{10};
  const std::chrono::seconds watched = std::min<std::chrono::seconds>(idle.watched, kMemory);
  if (watched.count() == 0) {
    return "at this moment";
  }
  if (watched < kStep) {
    return "in the first minutes";
  }
  return "in the last " + Lasting(static_cast<double>(std::chrono::seconds(watched / kStep * kStep).count()));
}

// "It has forgotten 40 of 80 connections (...); of 2 more the keepalive comes too late; ...": of connections that are
// open both ways. `of`: the same of one service.
template <typename Of>
std::string LossesOf(const TimeoutEffect& effect, const IdleSummary& idle, Of of) {
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  const auto by_port = [&](std::uint64_t TimeoutEffect::*count) {
    return ByPort(idle, [&](const ServiceIdle& service) { return of(service).*count; });
  };
  const std::string of_all = " of " + Counted(effect.sockets, "connection", "connections");
  if (effect.forgotten > 0) {
    add("it has forgotten " + std::to_string(effect.forgotten) + of_all + by_port(&TimeoutEffect::forgotten));
  }
  if (effect.late_keepalive > 0) {
    const std::string ports = by_port(&TimeoutEffect::late_keepalive);
    add(effect.forgotten > 0
            ? "of " + std::to_string(effect.late_keepalive) + " more" + ports + " the keepalive comes too late"
            : "the keepalive of " + std::to_string(effect.late_keepalive) + of_all + ports + " comes too late");
  }
  if (effect.spoke_again > 0) {
    add(Counted(effect.spoke_again, "silence within 24 hours was longer, after which a connection spoke again",
                "silences within 24 hours were longer, after which a connection spoke again") +
        by_port(&TimeoutEffect::spoke_again));
  }
  return UpperCase(text.substr(0, 1)) + text.substr(1) + ".";
}

// What may still come, where nothing has been forgotten.
std::string LimitsOf(const TimeoutEffect& effect, std::int64_t timeout) {
  return effect.without_keepalive == 0
             ? ""
             : " " + std::to_string(effect.without_keepalive) + " of " +
                   Counted(effect.sockets, "connection has", "connections have") +
                   " no keepalive: once silent for longer than " + std::to_string(timeout) + " s, forgotten.";
}

// "`setting` is safe ... / is not safe ...".
template <typename Of>
std::string VerdictOn(const std::string& setting, std::int64_t timeout, const TimeoutEffect& effect,
                      std::uint32_t longest, const IdleSummary& idle, Of of) {
  const std::string none = effect.sockets == 0 ? " No connection is open under it now." : "";
  if (effect.sockets == 0 && effect.IsSafe() && longest == 0) {
    return setting + ": no connection is open under it now.";
  }
  if (effect.IsSafe()) {
    return setting + " is safe for what was seen " + SeenWhen(idle) +
           ": the longest silence, or time until a keepalive, is " + std::to_string(longest) + " s." +
           LimitsOf(effect, timeout) + none;
  }
  return setting + " is not safe, by what was seen " + SeenWhen(idle) + ". " + LossesOf(effect, idle, of) + none;
}

// What one sample does not know.
std::string OneSample(const IdleSummary& idle) {
  return idle.watched.count() == 0 ? " That is one sample; the running service knows the last 24 hours." : "";
}

void OnEstablished(const IdleSummary& idle, const sources::SysctlSample& sysctl, std::vector<Statement>& out) {
  const auto timeout = sysctl.Timeout(sources::ConntrackTcpTimeout::kEstablished);
  const std::uint32_t longest_before = idle.last_24_hours.largest_local_seconds;
  if (!timeout || (idle.local.sockets == 0 && longest_before == 0 && idle.local.IsSafe())) {
    return;
  }
  std::string text =
      VerdictOn("nf_conntrack_tcp_timeout_established = " + std::to_string(timeout->count()) + " s", timeout->count(),
                idle.local, idle.local.sockets > 0 ? idle.longest_needed_seconds : longest_before, idle,
                [](const ServiceIdle& service) { return service.local; });
  if (idle.missing_entries > 0) {
    text += " But " + Counted(idle.missing_entries, "connection that was", "connections that were") +
            " silent for less " + (idle.missing_entries == 1 ? "has" : "have") +
            " no entry: it was removed, a timeout of its own was shorter (ct timeout), or there never was one.";
  }
  out.push_back({text + OneSample(idle), "", "", "timeout_in_force"});
}

void OnOwnTimeouts(const IdleSummary& idle, std::vector<Statement>& out) {
  if (idle.own.sockets == 0) {
    return;
  }
  const std::uint32_t shortest = idle.shortest_timeout_seconds.value_or(0);
  const std::string which =
      Counted(idle.own.sockets, "entry has a timeout of its own", "entries have timeouts of their own") +
      " (ct timeout), about " + std::to_string(shortest) + " s at the shortest: ";
  out.push_back(
      {which + (idle.own.IsSafe() ? "safe for what was seen " + SeenWhen(idle) + "." + LimitsOf(idle.own, shortest)
                                  : "not safe, by what was seen " + SeenWhen(idle) + ". " +
                                        LossesOf(idle.own, idle, [](const ServiceIdle&) { return TimeoutEffect(); })),
       "", "", "own_timeouts_in_force"});
}

void OnHalfClosed(const IdleSummary& idle, const sources::SysctlSample& sysctl, std::vector<Statement>& out) {
  const auto timeout = sysctl.Timeout(sources::ConntrackTcpTimeout::kCloseWait);
  const std::uint32_t longest = idle.longest_needed_half_closed_seconds;
  if (!timeout || (idle.half_closed == 0 && longest == 0)) {
    return;
  }
  out.push_back({"nf_conntrack_tcp_timeout_close_wait = " + std::to_string(timeout->count()) + " s is " +
                     (longest > timeout->count() ? "not safe, by" : "safe for") + " what was seen " + SeenWhen(idle) +
                     ": the longest silence of connections that the peer has closed is " + std::to_string(longest) +
                     " s.",
                 "", "", "close_wait_in_force"});
}

}  // namespace

std::vector<Statement> TimeoutVerdicts(const IdleSummary& idle, const sources::SysctlSample* sysctl,
                                       std::span<const std::uint64_t> forgotten_by_paths) {
  std::vector<Statement> out;
  if (sysctl != nullptr) {
    OnEstablished(idle, *sysctl, out);
    OnOwnTimeouts(idle, out);
    OnHalfClosed(idle, *sysctl, out);
  }
  for (std::size_t i = 0; i < idle.paths.size(); ++i) {
    const diagnosis::PathIdle& path = idle.paths[i];
    TimeoutEffect effect = path.effect;
    const std::uint64_t stuck = i < forgotten_by_paths.size() ? forgotten_by_paths[i] : 0;
    effect.forgotten += stuck;
    effect.sockets += stuck;
    out.push_back({VerdictOn("A path timeout of " + std::to_string(path.path.timeout.count()) + " s to " +
                                 path.path.network + " (--path.timeout)",
                             path.path.timeout.count(), effect, path.longest_needed_seconds, idle,
                             [&](const ServiceIdle& service) {
                               return i < service.paths.size() ? service.paths[i] : TimeoutEffect();
                             }) +
                       (stuck > 0 ? " " + Counted(stuck, "of those forgotten has closed and is stuck.",
                                                  "of those forgotten have closed and are stuck.")
                                  : "") +
                       (out.empty() ? OneSample(idle) : ""),
                   "", "", "path_in_force"});
  }
  return out;
}

}  // namespace finwait::report
