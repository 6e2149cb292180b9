#include "exporter/diagnosis/words.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "collectors/sysctl.h"

namespace finwait {
namespace {

std::string Count(std::uint64_t number, std::string_view one, std::string_view many) {
  return std::to_string(number) + " " + std::string(number == 1 ? one : many);
}

std::string Seconds(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::lround(seconds));
  if (whole < 120) {
    return std::to_string(whole) + " s";
  }
  if (whole < 2 * 3600) {
    return std::to_string(whole / 60) + " min";
  }
  return whole < 2 * 86400 ? std::to_string(whole / 3600) + " h" : std::to_string(whole / 86400) + " d";
}

std::string KernelName(TcpState state) {
  std::string name(Name(state));
  std::transform(name.begin(), name.end(), name.begin(), [](char letter) {
    return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
  });
  return name;
}

std::string_view Meaning(Cause cause) {
  switch (cause) {
    case Cause::kLocalDrop:
      return "the FIN never left this host: conntrack has no entry for the connection any more, calls the FIN INVALID, "
             "and a "
             "rule of this host's drops it";
    case Cause::kLocalError:
      return "the FIN never left this host, and no rule that drops INVALID packets explains it: look for a missing or "
             "blackhole "
             "route, a link that is down, tc or BPF";
    case Cause::kReplyDrop:
      return "the FIN left, and the peer's answer is dropped by this host on its way in";
    case Cause::kNatLost:
      return "the FIN left untranslated: the connection was NATed and its conntrack entry is gone";
    case Cause::kNoReply:
      return "the FIN left and nobody answers: the peer or the path is gone";
    case Cause::kZeroWindow:
      return "the peer's window is closed: its process does not read";
  }
  return "";
}

void DescribeStuck(const StuckSummary& stuck, Explanation& explanation) {
  for (const Cause cause : kCauses) {
    for (std::size_t state = 0; state < std::size(kStuckStates); ++state) {
      const std::uint64_t number = stuck.now[state][static_cast<std::size_t>(cause)];
      if (number > 0) {
        explanation.stuck.push_back({Count(number, "socket", "sockets") + " in " + KernelName(kStuckStates[state]) +
                                         " (" + std::string(Name(cause)) + "): " + std::string(Meaning(cause)),
                                     ""});
      }
    }
  }
  std::uint64_t undetermined = 0;
  for (const std::uint64_t number : stuck.undetermined) {
    undetermined += number;
  }
  if (undetermined > 0) {
    explanation.stuck.push_back(
        {Count(undetermined, "socket", "sockets") +
             " whose FIN never left, for a reason that cannot be told without the firewall's rules",
         ""});
  }
}

std::string_view Meaning(Fate fate) {
  switch (fate) {
    case Fate::kClean:
      return "would close";
    case Fate::kFinDropped:
      return "no conntrack entry, and a rule of this host's would drop the FIN";
    case Fate::kAckDropped:
      return "no conntrack entry, and the peer's answer to the FIN would be dropped on its way in";
    case Fate::kNatLost:
      return "no conntrack entry, and the connection was NATed: its FIN would go out untranslated";
    case Fate::kUnknown:
      return "no conntrack entry, and what its rules do to the FIN cannot be known";
  }
  return "";
}

void DescribeLive(const LiveSummary& live, Explanation& explanation) {
  for (std::size_t i = 0; i < std::size(kFatesAtRisk); ++i) {
    if (live.at_risk[i] > 0) {
      explanation.would_stick.push_back({Count(live.at_risk[i], "open connection", "open connections") + " (" +
                                             std::string(Name(kFatesAtRisk[i])) +
                                             "): " + std::string(Meaning(kFatesAtRisk[i])),
                                         ""});
    }
  }
  if (live.expiring.value_or(0) > 0) {
    explanation.would_stick.push_back(
        {Count(*live.expiring, "more connection has", "more connections have") +
             " less than half of the conntrack timeout left and no keepalive due before it ends",
         ""});
  }
  // The rules that decide, each once.
  std::vector<firewall::RuleLocation> named;
  for (const AtRiskSocket& one : live.sockets) {
    if (one.location && std::find(named.begin(), named.end(), *one.location) == named.end()) {
      named.push_back(*one.location);
      explanation.why.push_back({"What would drop them: " + DescribeLocation(*one.location), one.rule_text});
    }
  }
}

void DescribeRules(const FirewallSample& firewall, Explanation& explanation) {
  for (const firewall::InvalidDropRule& rule : firewall.invalid_drops) {
    std::string text = "INVALID packets are dropped in " + DescribeLocation(rule.location) + " (" +
                       std::string(Name(rule.hooks.front())) + ")";
    if (rule.narrow) {
      text += ", for some connections only";
    }
    text += rule.drops ? ", " + Count(rule.drops->packets, "packet", "packets") + " so far" : ", uncounted";
    explanation.why.push_back({std::move(text), rule.text});
  }
}

void DescribeTimeouts(const SysctlSample& sysctl, Explanation& explanation) {
  const auto established = sysctl.Timeout(ConntrackTcpTimeout::kEstablished);
  const auto close_wait = sysctl.Timeout(ConntrackTcpTimeout::kCloseWait);
  if (established && close_wait) {
    std::string text =
        "conntrack forgets an established connection after " + Seconds(static_cast<double>(established->count())) +
        " without a packet (nf_conntrack_tcp_timeout_established = " + std::to_string(established->count()) +
        "), and one that the peer has closed after " + Seconds(static_cast<double>(close_wait->count())) +
        " (close_wait = " + std::to_string(close_wait->count()) + ")";
    if (sysctl.tcp_keepalive_time && *sysctl.tcp_keepalive_time >= *established) {
      text += "; the first TCP keepalive would come only after " +
              Seconds(static_cast<double>(sysctl.tcp_keepalive_time->count())) + " (tcp_keepalive_time)";
    }
    explanation.why.push_back({std::move(text), ""});
  }
}

void Advise(bool drop_path, Explanation& explanation) {
  if (!drop_path) {
    return;
  }
  explanation.what_to_do = {
      {"Let closing packets out: accept INVALID packets with FIN or RST on the OUTPUT hook before the rule that drops "
       "them. The "
       "kernel goes on retrying a pending FIN, so stuck sockets close within seconds.",
       ""},
      {"Keep entries alive: a TCP keepalive (SO_KEEPALIVE with tcp_keepalive_time) that is shorter than the conntrack "
       "timeout "
       "refreshes the entry of an idle connection.",
       ""},
      {"Or make the conntrack timeout longer than connections idle: it helps connections whose entry is still there.",
       ""},
  };
  explanation.will_not_help = {
      {"nf_conntrack_tcp_be_liberal: it relaxes the window check only; a FIN without an entry stays INVALID.", ""},
      {"REJECT instead of DROP on the way out: the FIN is lost all the same.", ""},
      {"`ss -K` or killing the process again: it clears this side and leaves the peer connected for ever.", ""},
      {"Raising the timeout now: entries that are gone do not come back.", ""},
  };
}

void DescribeBlindness(const Snapshot& snapshot, Explanation& explanation) {
  for (const CollectorStatus& status : snapshot.collectors) {
    for (const Error& error : status.errors) {
      explanation.cannot_see.push_back({"collector " + std::string(status.info->name) + ": " + error.message, ""});
    }
    if (!status.looked) {
      explanation.cannot_see.push_back(
          {"collector " + std::string(status.info->name) + " has not finished its first look", ""});
    }
  }
  explanation.cannot_see.push_back(
      {"Only this network namespace is looked at: sockets of containers and pods with a namespace of their own are not "
       "seen.",
       ""});
}

std::string Verdict(const Diagnosis& diagnosis) {
  const Risk& risk = diagnosis.risk;
  if (!risk.stage) {
    return "Cannot tell whether closing connections get lost here: what would decide it cannot be read.";
  }
  switch (*risk.stage) {
    case Stage::kNone:
      return "No connection of this host would get stuck when it closes.";
    case Stage::kLatent:
      return "A closing connection whose conntrack entry is gone would get stuck here, and none is in that state now.";
    case Stage::kExposed: {
      const std::uint64_t number = diagnosis.live ? diagnosis.live->WouldStick() : 0;
      return Count(number, "open connection", "open connections") + " would get stuck if closed now.";
    }
    case Stage::kFailing: {
      std::uint64_t proven = 0;
      double oldest = 0;
      if (diagnosis.stuck) {
        for (const StuckSocket& stuck : diagnosis.stuck->sockets) {
          if (stuck.cause && ProvesFailure(*stuck.cause)) {
            ++proven;
            oldest = std::max(oldest, stuck.age.count());
          }
        }
      }
      if (proven > 0) {
        return Count(proven, "closed connection is", "closed connections are") +
               (proven == 1 ? " stuck because this host loses its closing packets, for "
                            : " stuck because this host loses their closing packets; the oldest for ") +
               Seconds(oldest) + ".";
      }
      return "Closing connections were lost here within the last 5 minutes; none is stuck at this moment.";
    }
  }
  return "";
}

}  // namespace

std::string DescribeLocation(const firewall::RuleLocation& location) {
  std::ostringstream text;
  if (location.backend == firewall::Backend::kLegacy) {
    text << (location.family == firewall::TableFamily::kIpv6 ? "ip6tables" : "iptables") << "-legacy";
  } else {
    text << "nft";
  }
  text << " table ";
  if (location.backend == firewall::Backend::kNft) {
    text << Name(location.family) << " ";
  }
  text << location.table << ", chain " << location.chain;
  if (location.handle) {
    text << ", handle " << *location.handle;
  }
  if (location.rule_index) {
    text << ", rule " << *location.rule_index;
  }
  return text.str();
}

Explanation ExplainInWords(const Diagnosis& diagnosis) {
  Explanation explanation;
  explanation.verdict = Verdict(diagnosis);
  if (diagnosis.stuck) {
    DescribeStuck(*diagnosis.stuck, explanation);
  }
  if (diagnosis.live) {
    DescribeLive(*diagnosis.live, explanation);
  }
  if (diagnosis.resets_lost > 0) {
    explanation.stuck.push_back(
        {Count(diagnosis.resets_lost, "reset was", "resets were") +
             " dropped by this host's own rules on the way out: no socket is left here, and the peers "
             "are half open",
         ""});
  }
  const auto* firewall = diagnosis.snapshot->Find<FirewallSample>();
  const bool matters = diagnosis.risk.stage && *diagnosis.risk.stage != Stage::kNone;
  if (firewall != nullptr && matters) {
    DescribeRules(*firewall, explanation);
  }
  const auto* sysctl = diagnosis.snapshot->Find<SysctlSample>();
  if (sysctl != nullptr && matters) {
    DescribeTimeouts(*sysctl, explanation);
  }
  Advise(matters, explanation);
  DescribeBlindness(*diagnosis.snapshot, explanation);
  return explanation;
}

}  // namespace finwait
