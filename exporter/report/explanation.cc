#include "exporter/report/explanation.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "collectors/firewall/model/rule_id.h"
#include "collectors/sources/network_namespaces.h"
#include "collectors/sources/sysctl.h"
#include "exporter/report/advice.h"
#include "exporter/report/fate_text.h"
#include "exporter/report/headline.h"
#include "exporter/report/idle_advice.h"
#include "exporter/report/report_text.h"
#include "exporter/report/situation.h"
#include "exporter/report/timeout_verdict.h"
#include "exporter/report/witness_text.h"

namespace finwait::report {
namespace {

std::string_view Meaning(diagnosis::Cause cause) {
  switch (cause) {
    case diagnosis::Cause::kLocalDrop:
      return "the FIN never left this host. Conntrack has no entry for the connection any more, calls the FIN INVALID, "
             "and a rule of this host's drops it";
    case diagnosis::Cause::kLocalError:
      return "the FIN never left this host, and no rule that drops INVALID packets explains it. Look for a missing or "
             "blackhole route, a link that is down, tc or BPF";
    case diagnosis::Cause::kReplyDrop:
      return "the FIN left, and the peer's answer is dropped by this host on its way in";
    case diagnosis::Cause::kNatLost:
      return "the FIN left untranslated: the connection was NATed and its conntrack entry is gone";
    case diagnosis::Cause::kNoReply:
      return "the FIN left and nobody answers: the peer or the path is gone";
    case diagnosis::Cause::kZeroWindow:
      return "the peer's window is closed: its process does not read";
    case diagnosis::Cause::kForwardDrop:
      return "a container's or pod's FIN, or its peer's answer, is dropped by this host's rules on the way through";
  }
  return "";
}

// Reasons beyond these are counted and not named.
constexpr std::size_t kMostSites = 64;

// The same where what is dropped has its entry, and is not INVALID.
std::string_view MeaningWithEntry(diagnosis::Cause cause) {
  switch (cause) {
    case diagnosis::Cause::kLocalDrop:
      return "the FIN never left this host: a rule of this host's drops it although conntrack has an entry for the "
             "connection";
    case diagnosis::Cause::kReplyDrop:
      return "the FIN left, and the peer's answer is dropped by this host on its way in, although conntrack has an "
             "entry for the connection";
    case diagnosis::Cause::kForwardDrop:
      return "a container's or pod's FIN, or its peer's answer, is dropped by this host's rules on the way through "
             "although it has an entry";
    default:
      return Meaning(cause);
  }
}

// How many sockets in that state are stuck for `cause` with their entry there.
std::uint64_t CountWithEntry(const diagnosis::StuckSummary& stuck, kernel::TcpState state, diagnosis::Cause cause) {
  return static_cast<std::uint64_t>(
      std::count_if(stuck.sockets.begin(), stuck.sockets.end(), [&](const diagnosis::StuckSocket& one) {
        return one.with_entry && one.cause == cause && one.socket.state == state;
      }));
}

void DescribeStuck(const diagnosis::StuckSummary& stuck, Explanation& explanation) {
  const auto add = [&](std::uint64_t number, kernel::TcpState state, diagnosis::Cause cause, std::string_view meaning) {
    if (number > 0) {
      explanation.stuck.push_back({Counted(number, "socket", "sockets") + " in " + KernelName(state) + " (" +
                                   std::string(Name(cause)) + "): " + std::string(meaning) + "."});
    }
  };
  for (const diagnosis::Cause cause : diagnosis::kCauses) {
    for (std::size_t state = 0; state < std::size(diagnosis::kStuckStates); ++state) {
      const std::uint64_t number = stuck.now[state][static_cast<std::size_t>(cause)];
      const std::uint64_t with_entry = std::min(number, CountWithEntry(stuck, diagnosis::kStuckStates[state], cause));
      add(number - with_entry, diagnosis::kStuckStates[state], cause, Meaning(cause));
      add(with_entry, diagnosis::kStuckStates[state], cause, MeaningWithEntry(cause));
    }
  }
  std::uint64_t undetermined = 0;
  for (const diagnosis::StuckSocket& one : stuck.sockets) {
    undetermined += one.cause ? 0 : 1;
  }
  if (undetermined > 0) {
    explanation.stuck.push_back(
        {Counted(undetermined, "socket", "sockets") +
         " stuck for a reason that cannot be told: rules or conntrack cannot be read, or nobody "
         "watched when it closed."});
  }
}

void DescribeLive(const diagnosis::LiveSummary& live, Explanation& explanation) {
  const auto add = [&](std::uint64_t number, diagnosis::Fate fate, std::string_view meaning) {
    if (number > 0) {
      explanation.would_stick.push_back({Counted(number, "open connection", "open connections") + " (" +
                                         std::string(Name(fate)) + "): " + std::string(meaning) + "."});
    }
  };
  for (std::size_t i = 0; i < std::size(diagnosis::kFatesAtRisk); ++i) {
    const diagnosis::Fate fate = diagnosis::kFatesAtRisk[i];
    add(live.at_risk[i] - live.at_risk_with_entry[i], fate, report::Meaning(fate));
    add(live.at_risk_with_entry[i], fate, report::MeaningWithEntry(fate));
  }
  if (live.expiring.value_or(0) > 0) {
    explanation.would_stick.push_back(
        {Counted(*live.expiring, "more connection has", "more connections have") +
         " less than half of the conntrack timeout left and no keepalive due before it ends."});
  }
}

// The rules that decide, and how many connections each has on its account.
void DescribeDropSites(const Situation& situation, Explanation& explanation) {
  const std::size_t named = std::min(situation.losses.size(), kMostSites);
  for (const AffectedSite& loss : std::span(situation.losses).first(named)) {
    std::string text = Describe(loss.site.rule) + (loss.site.rejects ? " rejects " : " drops ");
    text.front() = loss.site.rule.IsPolicy() ? 'T' : text.front();  // "The policy of"
    text += DyingAt(loss);
    text += loss.general ? " of any connection" : " of some connections";
    text += loss.with_entry || loss.answers_with_entry ? ", whether it has an entry or not" : " without an entry";
    if (loss.stuck > 0) {
      text += ", of " + Counted(loss.stuck, "stuck socket", "stuck sockets");
    }
    if (loss.at_risk > 0) {
      text += std::string(loss.stuck > 0 ? " and" : ",") + " of " + (situation.all_at_risk_counted ? "" : "at least ") +
              Counted(loss.at_risk, "open connection", "open connections") + " if closed now";
    }
    explanation.why.push_back({text + ".", loss.site.rule_text, "", "drop_site"});
  }
  if (situation.losses.size() > named) {
    std::uint64_t stuck = 0;
    std::uint64_t at_risk = 0;
    for (const AffectedSite& loss : std::span(situation.losses).subspan(named)) {
      stuck += loss.stuck;
      at_risk += loss.at_risk;
    }
    explanation.why.push_back({"Closing packets are dropped at " +
                               Counted(situation.losses.size() - named, "more place", "more places") + ", of " +
                               Counted(stuck, "stuck socket", "stuck sockets") + " and " +
                               Counted(at_risk, "open connection", "open connections") + "."});
  }
  if (situation.stuck_unnamed > 0) {
    explanation.why.push_back({"A rule that cannot be named drops closing packets of " +
                               Counted(situation.stuck_unnamed, "stuck socket", "stuck sockets") +
                               ": one of several, and which one cannot be told."});
  }
}

void DescribeTranslations(const diagnosis::Diagnosis& diagnosis, const Situation& situation, Explanation& explanation) {
  std::string first;
  const auto add = [&](const Endpoint& peer, const diagnosis::ConnectionHistory& history) {
    if (first.empty() && history.translation != nullptr) {
      first = peer.Text() + " was " + history.translation->peer.Text() + " on the wire, and this end was " +
              history.translation->local.Text();
    }
  };
  if (diagnosis.stuck) {
    for (const diagnosis::StuckSocket& one : diagnosis.stuck->sockets) {
      if (one.cause == diagnosis::Cause::kNatLost) {
        add(one.socket.peer, one.history);
      }
    }
  }
  if (diagnosis.live) {
    for (const diagnosis::AtRiskSocket& one : diagnosis.live->sockets) {
      if (one.fate == diagnosis::Fate::kNatLost) {
        add(one.socket.peer, one.history);
      }
    }
  }
  if (situation.nat_stuck + situation.nat_at_risk == 0) {
    return;
  }
  std::string text = "NAT translated ";
  if (situation.nat_stuck > 0) {
    text += Counted(situation.nat_stuck, "stuck socket", "stuck sockets");
  }
  if (situation.nat_at_risk > 0) {
    text += (situation.nat_stuck > 0 ? " and " : "") +
            Counted(situation.nat_at_risk, "open connection", "open connections");
  }
  explanation.why.push_back({text +
                                 "; only the entry knew how, and without it their packets go out as they are. No rule "
                                 "drops anything.",
                             first});
}

// What became of the entries.
void DescribeEnds(const Situation& situation, Explanation& explanation) {
  const diagnosis::ExpiryReasons& ends = situation.ends;
  for (std::size_t i = 0; i < ends.timed_out.size(); ++i) {
    if (ends.timed_out[i] == 0) {
      continue;
    }
    const kernel::ConntrackTcpState state = kernel::kLiveConntrackStates[i];
    std::string text =
        Counted(ends.timed_out[i], "entry", "entries") + " timed out in conntrack's state " + UpperCase(Name(state));
    if (const auto timeout = situation.sysctl ? diagnosis::TimeoutOf(state, *situation.sysctl) : std::nullopt) {
      text += " (nf_conntrack_tcp_timeout_" + std::string(Name(state)) + " = " + std::to_string(timeout->count()) + ")";
    }
    explanation.why.push_back({text + "."});
  }
  if (ends.own.entries > 0) {
    explanation.why.push_back({Counted(ends.own.entries, "entry", "entries") +
                               " timed out after a timeout of its own, about " +
                               std::to_string(ends.own.shortest.count()) +
                               " s at the shortest, and not the sysctl's: a timeout policy (`ct timeout`, nfct), a "
                               "flowtable (from Linux 6.14 on), or the sysctl was changed since."});
  }
  if (ends.removed > 0) {
    explanation.why.push_back(
        {Counted(ends.removed, "entry was", "entries were") +
         " removed before the time was up: deleted or flushed (conntrack -D, -F), or evicted from "
         "a full table."});
  }
  if (ends.unknown > 0) {
    explanation.why.push_back({Counted(ends.unknown, "entry was", "entries were") +
                               " gone before the first sample: whether timed out or removed, nobody saw."});
  }
  if (ends.with_keepalive + ends.without_keepalive > 0) {
    explanation.why.push_back({"TCP keepalive was on for " + std::to_string(ends.with_keepalive) + " and off for " +
                               std::to_string(ends.without_keepalive) + " of these connections."});
  }
}

void DescribeOtherRules(const sources::FirewallSample& firewall, const Situation& situation, Explanation& explanation) {
  const std::string also = situation.losses.empty() ? "" : "also ";
  // Named one by one up to a bound, as anybody may ask for the report: a host can have 100,000 such rules.
  std::size_t named = 0;
  std::size_t more = 0;
  for (const firewall::analysis::InvalidDropRule& rule : firewall.invalid_drops) {
    if (std::any_of(situation.losses.begin(), situation.losses.end(),
                    [&](const AffectedSite& loss) { return loss.site.rule == rule.location; })) {
      continue;
    }
    if (named == kMostSites) {
      ++more;
      continue;
    }
    ++named;
    std::string text = "INVALID packets are " + also + "dropped in " + Describe(rule.location) + " (" +
                       std::string(Name(rule.hooks.front())) + ")";
    if (rule.narrow) {
      text += ", for some connections only";
    }
    text += rule.drops ? ", " + Counted(rule.drops->packets, "packet", "packets") + " so far." : ", uncounted.";
    explanation.why.push_back({std::move(text), rule.text, "", "other_rule"});
  }
  if (more > 0) {
    explanation.why.push_back({"INVALID packets are " + also + "dropped by " +
                               Counted(more, "more rule", "more rules") + ", not named here."});
  }
}

// What of forwarded connections neither rules nor conntrack tell.
void DescribeFlowtables(const sources::FirewallSample& firewall, Explanation& explanation) {
  if (firewall.ruleset == nullptr) {
    return;
  }
  const std::vector<firewall::FlowtableInTable> all = FlowtablesOf(*firewall.ruleset);
  if (all.empty()) {
    return;
  }
  const std::string more = all.size() == 1 ? "" : ", and " + Counted(all.size() - 1, "other", "others");
  explanation.cannot_see.push_back(
      {"Established connections that this host passes on may go past its rules, by: " + Describe(all.front()) + more +
       ". Of a connection that is there, conntrack tells neither state nor timeout, so it is in no count by state. Its "
       "entry does not time out meanwhile; after 30 s of silence it leaves, from Linux 6.14 on with 5 minutes to a day "
       "left. Once the entry is gone the rules decide, as is said here."});
}

// Those of open connections that no sysctl gave.
void DescribeOwnTimeouts(const diagnosis::OwnTimeoutCount& timeouts, Explanation& explanation) {
  if (timeouts.entries > 0) {
    explanation.why.push_back({"Of " + Counted(timeouts.entries, "open connection", "open connections") +
                               " the entry has a timeout of its own, about " +
                               std::to_string(timeouts.shortest.count()) +
                               " s at the shortest: a timeout policy (`ct timeout`, nfct), or the sysctl was changed "
                               "since its last packet."});
  }
}

void DescribeTimeouts(const sources::SysctlSample& sysctl, Explanation& explanation) {
  const auto established = sysctl.Timeout(sources::ConntrackTcpTimeout::kEstablished);
  const auto close_wait = sysctl.Timeout(sources::ConntrackTcpTimeout::kCloseWait);
  if (established && close_wait) {
    std::string text =
        "Conntrack forgets an established connection after " + Lasting(static_cast<double>(established->count())) +
        " without a packet (nf_conntrack_tcp_timeout_established = " + std::to_string(established->count()) +
        "), and one that the peer has closed after " + Lasting(static_cast<double>(close_wait->count())) +
        " (nf_conntrack_tcp_timeout_close_wait = " + std::to_string(close_wait->count()) + ")";
    if (sysctl.tcp_keepalive_time && *sysctl.tcp_keepalive_time >= *established) {
      text += "; the first TCP keepalive would come only after " +
              Lasting(static_cast<double>(sysctl.tcp_keepalive_time->count())) +
              " (tcp_keepalive_time = " + std::to_string(sysctl.tcp_keepalive_time->count()) + ")";
    }
    explanation.why.push_back({text + "."});
  }
}

void DescribeOwners(const std::vector<diagnosis::OwnerCount>& owners, Explanation& explanation) {
  for (const diagnosis::OwnerCount& one :
       std::span(owners).first(std::min(owners.size(), diagnosis::kMostNamedOwners))) {
    std::string text = OwnerName(one.owner) + ": ";
    if (one.stuck > 0) {
      text += Counted(one.stuck, "socket", "sockets") + " stuck within the last hour, " +
              std::to_string(one.stuck_now) + " now";
    }
    if (one.at_risk > 0) {
      text += (one.stuck > 0 ? "; " : "") + Counted(one.at_risk, "open connection", "open connections") + " at risk";
    }
    explanation.owners.push_back({text + "."});
  }
  if (owners.size() > diagnosis::kMostNamedOwners) {
    explanation.owners.push_back(
        {Counted(owners.size() - diagnosis::kMostNamedOwners, "more owner", "more owners") + "."});
  }
}

bool HasUnreadLegacy(const sources::OtherNamespace& one) {
  return one.own && std::ranges::any_of(one.own->ruleset->unread, [](const firewall::UnreadPart& part) {
           return part.backend == firewall::Backend::kLegacy;
         });
}

// Why there may be more processes than were found, and so more network namespaces; "" where all were.
std::string WhatHides(const sources::NetworkNamespacesSample& others) {
  switch (others.limit) {
    case kernel::namespaces::CensusLimit::kNone:
      return "";
    case kernel::namespaces::CensusLimit::kHidden:
      return "This procfs hides the processes of other users (hidepid=, ProtectProc=)";
    case kernel::namespaces::CensusLimit::kPidNamespace:
      return "This procfs shows the processes of one PID namespace, not of the whole machine (hostPID, --pid=host)";
    case kernel::namespaces::CensusLimit::kDeadline:
      return "The list of processes could not be read to its end in time";
    case kernel::namespaces::CensusLimit::kNumber:
      return "There are more than " + std::to_string(kernel::namespaces::ProcessCensus::kMostProcesses) +
             " processes, and no more are looked at";
  }
  return "";
}

void DescribeNamespaces(const sources::NetworkNamespacesSample& others, Explanation& explanation) {
  const char* uncertainty = others.unseen + others.observed + others.entered > 0
                                ? ", so there may be more."
                                : ", so whether there are other network namespaces is not known.";
  std::string text;
  if (others.entered > 0) {
    text = Counted(others.entered, "other network namespace is", "other network namespaces are") +
           " entered: their sockets are read inside and evaluated by their own rules and entries, then by this host's.";
    if (std::ranges::any_of(others.namespaces, HasUnreadLegacy)) {
      text += " Their iptables-legacy rules are not read: what these drop is not told.";
    }
  }
  if (others.observed > 0) {
    text += text.empty() ? "" : " ";
    text += Counted(others.observed, "other network namespace is", "other network namespaces are") + " observed (" +
            Counted(others.processes_elsewhere, "process", "processes") +
            ", mostly of containers and pods): their sockets are read through /proc and evaluated by this host's rules "
            "and conntrack entries. Their own rules, routes and conntrack tables are not read.";
  }
  if (others.unseen > 0) {
    text += std::string(text.empty() ? "" : " ") +
            Counted(others.unseen, "other network namespace has", "other network namespaces have") + " processes" +
            (others.observes ? ""
                             : " (" + Counted(others.processes_elsewhere, "process", "processes") +
                                   ", mostly of containers and pods)") +
            (others.observes ? "; their sockets have not been read." : "; their sockets are not read.");
  }
  const std::string hides = WhatHides(others);
  if (text.empty() && others.unreadable == 0 && hides.empty()) {
    text =
        "No other network namespace has processes. One without any, which a mount alone holds (`ip netns add`), is not "
        "looked at.";
  }
  if (others.unreadable > 0) {
    text += std::string(text.empty() ? "" : " ") + "The network namespace of " +
            Counted(others.unreadable, "process", "processes") + " may not be read (hidepid=, a security module)" +
            uncertainty;
  }
  if (!hides.empty()) {
    text += (text.empty() ? "" : " ") + hides + uncertainty;
  }
  explanation.cannot_see.push_back({text});
  if (others.cgroups == nullptr) {
    explanation.cannot_see.push_back(
        {"Whose the sockets of this network namespace are cannot be told: no cgroup v2 is mounted from its root here. "
         "Containers and pods are still told by the cgroups of their processes, v1 or v2."});
  }
}

// What collectors could not read. The same message of several collectors, as where a capability is missing, is one
// statement: it has one remedy.
void DescribeFailures(const scheduling::Snapshot& snapshot, Explanation& explanation) {
  std::vector<std::pair<std::string, std::vector<std::string>>> failures;  // remedy, and what it would mend
  for (const scheduling::CollectorStatus& status : snapshot.collectors) {
    for (const Error& error : status.errors) {
      const std::size_t split =
          error.reason == FailureReason::kPermission ? error.message.rfind("; ") : std::string::npos;
      const std::string remedy = split == std::string::npos ? "" : error.message.substr(split + 2);
      const std::string failure = "collector " + std::string(status.info->name) + ": " + error.message.substr(0, split);
      const auto known = std::find_if(failures.begin(), failures.end(),
                                      [&](const auto& one) { return !remedy.empty() && one.first == remedy; });
      if (known != failures.end()) {
        known->second.push_back(failure);
      } else {
        failures.push_back({remedy, {failure}});
      }
    }
  }
  for (const auto& [remedy, mended] : failures) {
    std::string text;
    for (const std::string& failure : mended) {
      text += (text.empty() ? "" : "; ") + failure;
    }
    explanation.cannot_see.push_back({text + (remedy.empty()      ? ""
                                              : mended.size() > 1 ? ". For all of these: " + remedy
                                                                  : "; " + remedy)});
  }
}

void DescribeUnavailable(const scheduling::Snapshot& snapshot, Explanation& explanation) {
  DescribeFailures(snapshot, explanation);
  for (const scheduling::CollectorStatus& status : snapshot.collectors) {
    if (!status.collected) {
      explanation.cannot_see.push_back(
          {"collector " + std::string(status.info->name) + " has not finished its first collection", ""});
    }
  }
  if (const auto* others = snapshot.Find<sources::NetworkNamespacesSample>()) {
    DescribeNamespaces(*others, explanation);
  } else {
    explanation.cannot_see.push_back(
        {"Only this network namespace is observed; whether others have sockets, such as those of containers and pods, "
         "is not known."});
  }
}

// What cannot wait: to let stuck sockets finish, which die unheard after about two minutes; without any, the first
// command for a host that would lose connections now.
std::size_t CountUrgent(const diagnosis::Diagnosis& diagnosis, const Situation& situation,
                        const std::vector<Statement>& what_to_do) {
  const auto later = std::find_if(what_to_do.begin(), what_to_do.end(),
                                  [](const Statement& one) { return !one.id.starts_with("finish_stuck"); });
  const auto number = static_cast<std::size_t>(later - what_to_do.begin());
  const bool losing = diagnosis.risk.stage == diagnosis::Stage::kExposed || situation.AnyAffected();
  return number > 0 || !losing || what_to_do.empty() ? number : 1;
}

}  // namespace

Explanation Explain(const diagnosis::Diagnosis& diagnosis, const Situation& situation) {
  Explanation explanation;
  explanation.verdict = Verdict(diagnosis, situation);
  explanation.cause = CauseOf(diagnosis, situation);
  if (diagnosis.stuck) {
    DescribeStuck(*diagnosis.stuck, explanation);
  }
  if (diagnosis.live) {
    DescribeLive(*diagnosis.live, explanation);
  }
  DescribeOwners(diagnosis.owners, explanation);
  if (diagnosis.resets_lost > 0) {
    explanation.stuck.push_back({Counted(diagnosis.resets_lost, "reset was", "resets were") +
                                 " dropped by this host's own rules on the way out: no socket is left here, and the "
                                 "peers are half open."});
  }
  const bool matters = diagnosis.risk.stage != diagnosis::Stage::kNone;
  if (matters) {
    DescribeDropSites(situation, explanation);
    DescribeTranslations(diagnosis, situation, explanation);
    DescribeEnds(situation, explanation);
  }
  DescribeWitness(diagnosis, explanation);
  if (const auto* firewall = diagnosis.snapshot->Find<sources::FirewallSample>()) {
    DescribeOtherRules(*firewall, situation, explanation);
  }
  if (matters) {
    const bool entries_matter = !situation.OnlyWithEntry() || situation.AnyNat();
    if (situation.sysctl && !situation.only_own_timeouts && entries_matter) {
      DescribeTimeouts(*situation.sysctl, explanation);
    }
    if (diagnosis.live) {
      DescribeOwnTimeouts(diagnosis.live->own_timeouts, explanation);
    }
    explanation.what_to_do = WhatToDo(situation);
    explanation.urgent = CountUrgent(diagnosis, situation, explanation.what_to_do);
    explanation.will_not_help = WhatWillNotHelp(situation);
  }
  if (diagnosis.idle) {
    const std::vector<std::uint64_t> forgotten =
        diagnosis.stuck ? CountForgottenByPaths(*diagnosis.stuck, *diagnosis.idle) : std::vector<std::uint64_t>();
    std::ranges::move(ForgottenByPaths(forgotten, *diagnosis.idle), std::back_inserter(explanation.stuck));
    const auto* sysctl = diagnosis.snapshot->Find<sources::SysctlSample>();
    explanation.timeouts = TimeoutVerdicts(*diagnosis.idle, sysctl, forgotten);
    std::ranges::move(IdleAdvice(*diagnosis.idle, sysctl, TableLoadOf(*diagnosis.snapshot)),
                      std::back_inserter(explanation.what_to_do));
  }
  DescribeUnavailable(*diagnosis.snapshot, explanation);
  if (const auto* firewall = diagnosis.snapshot->Find<sources::FirewallSample>()) {
    DescribeFlowtables(*firewall, explanation);
  }
  if (diagnosis.live && diagnosis.live->never_tracked_elsewhere > 0) {
    explanation.cannot_see.push_back(
        {Counted(diagnosis.live->never_tracked_elsewhere, "open connection of another network namespace has",
                 "open connections of other network namespaces have") +
         " no entry in this host's conntrack table, and none of the same namespace was seen with one. Either the "
         "entries had gone before anybody watched, or the packets pass conntrack by (a BPF program, macvlan). What "
         "would become of a close is not told. The service, running while a connection still has its entry, tells."});
  }
  if (diagnosis.idle && diagnosis.idle->untold > 0) {
    explanation.cannot_see.push_back({"It cannot be told how long " +
                                      Counted(diagnosis.idle->untold, "connection of another network namespace has",
                                              "connections of other network namespaces have") +
                                      " been silent: /proc does not tell, and no conntrack entry of this host does."});
  }
  return explanation;
}

}  // namespace finwait::report
