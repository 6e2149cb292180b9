#include "exporter/report/headline.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "collectors/firewall/model/rule_id.h"
#include "collectors/sources/network_namespaces.h"
#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/conntrack_activity.h"
#include "exporter/report/fate_text.h"
#include "exporter/report/report_text.h"

namespace finwait::report {
namespace {

// When conntrack forgets them: the timeout that counts, with its setting.
std::string ForgettingOf(const Situation& situation) {
  const auto after = [&](sources::ConntrackTcpTimeout which, std::string_view name, const char* of) {
    const auto timeout = situation.sysctl ? situation.sysctl->Timeout(which) : std::nullopt;
    return timeout ? "after " + Lasting(static_cast<double>(timeout->count())) + of + " (nf_conntrack_tcp_timeout_" +
                         std::string(name) + " = " + std::to_string(timeout->count()) + ")"
                   : std::string("after a while");
  };
  std::string text;
  if (situation.own_timeouts.entries > 0) {
    text = "after about " + Lasting(static_cast<double>(situation.own_timeouts.shortest.count())) +
           " without a packet where its entry has a timeout of its own";
  }
  if (situation.only_own_timeouts) {
    return text;
  }
  if (situation.open_both_ways > 0 || situation.peer_closed == 0) {
    text += (text.empty() ? "" : ", else ") +
            after(sources::ConntrackTcpTimeout::kEstablished, "established", " without a packet");
  }
  if (situation.peer_closed > 0) {
    text += (text.empty() ? "" : ", or ") +
            after(sources::ConntrackTcpTimeout::kCloseWait, "close_wait", " when the peer has closed");
  }
  return text;
}

// What then loses the closing packets: the first place, and how many more there are.
std::string LossOf(const Situation& situation) {
  if (situation.losses.empty()) {
    if (situation.table_full) {
      return "conntrack drops its packets, as the conntrack table is full";
    }
    return situation.AnyNat() ? "the NAT that the connection needs is lost with its entry" : "";
  }
  const AffectedSite& loss = situation.losses.front();
  const bool only_resets = situation.stuck + situation.at_risk == 0 && situation.resets_lost > 0;
  std::string text = Describe(loss.site.rule) + (loss.site.rejects ? " rejects " : " drops ");
  text += loss.inbound && !loss.peer_fin && !loss.with_entry ? "the peer's answer to the FIN"
          : only_resets                                      ? "the RST"
                                                             : std::string(DyingAt(loss));
  std::set<firewall::RuleId> places;  // one that drops packets with an entry and without is one still
  for (const AffectedSite& one : situation.losses) {
    places.insert(one.site.rule);
  }
  if (places.size() > 1) {
    text += " (and " + Counted(places.size() - 1, "other place", "other places") + ")";
  }
  return text + (situation.AnyNat() ? "; NATed connections lose their translation" : "");
}

// The first collector whose failure hides what decides the stage. Sockets before tracking, which fails without them,
// too.
std::string UnavailableOf(const scheduling::Snapshot& snapshot) {
  for (const std::string_view decisive :
       {sources::FirewallSample::kCollector, sources::SocketsSample::kCollector, sources::TrackingSample::kCollector}) {
    for (const scheduling::CollectorStatus& status : snapshot.collectors) {
      if (status.info->name == decisive && !status.errors.empty()) {
        return "Collector " + std::string(decisive) + ": " + status.errors.front().message + ".";
      }
    }
  }
  return "";
}

// What packets of the representative connection depend on that cannot be known, as one sentence's end; "" for nothing.
std::string UnknownPaths(const diagnosis::Diagnosis& diagnosis) {
  const PerFamily<bool> active = diagnosis::MayBeActive(diagnosis.conntrack_active);
  for (const IpFamily family : kIpFamilies) {
    if (!active[family]) {
      continue;
    }
    for (const diagnosis::PathPacket packet :
         {diagnosis::PathPacket::kFin, diagnosis::PathPacket::kAck, diagnosis::PathPacket::kPeerFin}) {
      const std::string& reason = diagnosis.path_unknowns[family][diagnosis::Index(packet)];
      if (!reason.empty()) {
        return reason;
      }
    }
  }
  if (diagnosis.live && diagnosis.live->any_unknown) {
    return "what rules ask of some open connections (`finwait_exporter explain LOCAL PEER` names it for one)";
  }
  return "";
}

// Whether latent only because a path may lose packets.
bool MayLosePackets(const diagnosis::Diagnosis& diagnosis) {
  return diagnosis.risk.stage == diagnosis::Stage::kLatent && diagnosis.drop_path_unknown;
}

// How `explain` is asked about a socket of another namespace, beside its ends: by a process of that namespace.
std::string NetnsOf(const scheduling::Snapshot& snapshot, std::uint64_t network_namespace) {
  const auto* others = snapshot.Find<sources::NetworkNamespacesSample>();
  if (network_namespace == 0 || others == nullptr) {
    return "";
  }
  const auto& all = others->namespaces;
  const auto found = std::ranges::find(all, network_namespace, &sources::OtherNamespace::id);
  return found == all.end() || found->process == 0 ? "" : "--netns=" + std::to_string(found->process) + " ";
}

// That connections of containers and pods were not evaluated, and why not.
std::string UnreadOf(const diagnosis::Diagnosis& diagnosis, std::uint64_t unread) {
  const scheduling::CollectorStatus* status = diagnosis.snapshot->Status<sources::NetworkNamespacesSample>();
  const std::string why = status == nullptr || status->errors.empty()
                              ? std::string("their namespaces have not all been read yet")
                              : status->errors.front().message;
  return "What would become of " + Counted(unread, "connection", "connections") +
         " of containers or pods cannot be told: " + why + ".";
}

// Why there is no stage although all collectors work: what is not known, and what would tell.
std::string UnknownOf(const diagnosis::Diagnosis& diagnosis) {
  const std::uint64_t unknown = diagnosis.live ? diagnosis.live->AtRisk(diagnosis::Fate::kUnknown) : 0;
  if (unknown > 0) {
    std::string text = Counted(unknown, "open connection has", "open connections have") +
                       " no conntrack entry, and what would become of the close cannot be known";
    const auto& sockets = diagnosis.live->sockets;
    const auto first = std::find_if(sockets.begin(), sockets.end(), [](const diagnosis::AtRiskSocket& one) {
      return one.fate == diagnosis::Fate::kUnknown && !one.reason.empty();
    });
    return first == sockets.end() ? text + "."
                                  : text + ": it depends on " + first->reason + ". `finwait_exporter explain " +
                                        NetnsOf(*diagnosis.snapshot, first->network_namespace) +
                                        "LOCAL PEER` names the rule for one of them.";
  }
  if (diagnosis.live && diagnosis.live->unread_elsewhere > 0) {
    return UnreadOf(diagnosis, diagnosis.live->unread_elsewhere);
  }
  if (diagnosis.stuck) {
    const auto& by_state = diagnosis.stuck->undetermined;
    if (const auto number = std::accumulate(by_state.begin(), by_state.end(), std::uint64_t{0}); number > 0) {
      return Counted(number, "socket is", "sockets are") + " stuck, and why cannot be told: nobody watched when " +
             (number == 1 ? "it" : "they") +
             " closed, or a rule depends on what cannot be known. The service, running since before, tells. So does "
             "`check` of "
             "those that close from now on.";
    }
  }
  const std::string paths = UnknownPaths(diagnosis);
  return paths.empty() ? "Rules or settings that decide it could not be read." : "It depends on " + paths + ".";
}

// Whether packets of this host's own connections come to the rule.
bool MeetsOwnPackets(const firewall::analysis::InvalidDropRule& rule) {
  return std::any_of(rule.hooks.begin(), rule.hooks.end(),
                     [](firewall::Hook hook) { return hook != firewall::Hook::kForward; });
}

// The rule that drops INVALID packets of some connections, where none does of all; "" for none.
std::string NarrowRuleOf(const diagnosis::Diagnosis& diagnosis) {
  const auto* firewall = diagnosis.snapshot->Find<sources::FirewallSample>();
  if (firewall == nullptr) {
    return "";
  }
  const auto narrow = std::find_if(firewall->invalid_drops.begin(), firewall->invalid_drops.end(),
                                   [](const auto& rule) { return rule.narrow && MeetsOwnPackets(rule); });
  return narrow == firewall->invalid_drops.end()
             ? ""
             : Describe(narrow->location) + " drops INVALID packets of some connections.";
}

}  // namespace

std::string Verdict(const diagnosis::Diagnosis& diagnosis, const Situation& situation) {
  const diagnosis::Risk& risk = diagnosis.risk;
  if (!risk.stage) {
    return "Whether closing connections get stuck here does not show in what could be observed.";
  }
  switch (*risk.stage) {
    case diagnosis::Stage::kNone: {
      std::uint64_t elsewhere = 0;
      for (std::size_t i = 0; diagnosis.stuck && i < diagnosis.stuck->sockets.size(); ++i) {
        const diagnosis::StuckSocket& one = diagnosis.stuck->sockets[i];
        elsewhere += one.network_namespace != 0 && !one.cause ? 1 : 0;
      }
      const std::string narrow = NarrowRuleOf(diagnosis);
      return (narrow.empty() ? std::string("No connection of this host would get stuck when it closes.")
                             : "No open connection of this host would get stuck now. " + narrow +
                                   " `finwait_exporter explain --all` says which.") +
             (elsewhere == 0
                  ? std::string()
                  : " " + Counted(elsewhere, "socket of a container or pod is", "sockets of containers or pods are") +
                        " stuck, and why cannot be told.");
    }
    case diagnosis::Stage::kLatent:
      if (diagnosis.drop_path_unknown) {
        return "Nothing is stuck, and no open connection would get stuck now; whether one that outlives its conntrack "
               "entry would cannot be known.";
      }
      return "Nothing is stuck, and no open connection would get stuck now; one that outlives its conntrack entry "
             "would.";
    case diagnosis::Stage::kExposed: {
      const std::uint64_t open = diagnosis.live ? diagnosis.live->open : 0;
      const bool peer_only = diagnosis.live && diagnosis.live->AtRisk(diagnosis::Fate::kPeerFinDropped) > 0;
      return std::to_string(situation.at_risk) + " of " + Counted(open, "open connection", "open connections") +
             (peer_only ? " would get stuck if closed now, by this end or by the peer."
                        : " would get stuck if closed now.");
    }
    case diagnosis::Stage::kFailing: {
      double oldest = 0;
      if (diagnosis.stuck) {
        for (const diagnosis::StuckSocket& stuck : diagnosis.stuck->sockets) {
          if (stuck.cause && ProvesFailure(*stuck.cause)) {
            oldest = std::max(oldest, stuck.age.count());
          }
        }
      }
      if (situation.stuck > 0) {
        return Counted(situation.stuck, "closed connection is", "closed connections are") + " stuck, " +
               (situation.stuck == 1 ? "for " : "the oldest for ") + Lasting(oldest) + ": this host loses " +
               (situation.stuck == 1 ? "its" : "their") + " closing packets.";
      }
      return "This host lost closing packets within the last 5 minutes; no socket is stuck at this moment.";
    }
  }
  return "";
}

std::string CauseOf(const diagnosis::Diagnosis& diagnosis, const Situation& situation) {
  if (!diagnosis.risk.stage) {
    if (std::string blindness = UnavailableOf(*diagnosis.snapshot); !blindness.empty()) {
      return blindness;
    }
    return UnknownOf(diagnosis);
  }
  const std::string loss = LossOf(situation);
  if (*diagnosis.risk.stage == diagnosis::Stage::kNone) {
    return "";
  }
  if (loss.empty()) {
    const std::string unknown = UnknownPaths(diagnosis);
    return MayLosePackets(diagnosis) && !unknown.empty() ? "It depends on " + unknown + "." : NarrowRuleOf(diagnosis);
  }
  if (situation.OnlyWithEntry() && !situation.AnyNat()) {
    return UpperCase(loss.substr(0, 1)) + loss.substr(1) +
           ", whether conntrack has an entry for the connection or not.";
  }
  const diagnosis::ExpiryReasons& ends = situation.ends;
  const bool all_removed =
      ends.removed > 0 && ends.unknown == 0 && ends.own.entries == 0 &&
      std::all_of(ends.timed_out.begin(), ends.timed_out.end(), [](auto number) { return number == 0; });
  return (all_removed ? std::string("Something removed their conntrack entries before their time")
                      : "Conntrack forgets a connection " + ForgettingOf(situation)) +
         ", and then " + loss + ".";
}

}  // namespace finwait::report
