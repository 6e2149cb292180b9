#include "exporter/report/remedy.h"

#include <algorithm>
#include <cctype>

namespace finwait::report {
namespace {

// Nothing that a shell, nft or iptables reads as more than a name.
bool IsPlain(const std::string& name) {
  return !name.empty() && name.front() != '-' && std::all_of(name.begin(), name.end(), [](unsigned char letter) {
    return std::isalnum(letter) != 0 || letter == '_' || letter == '-' || letter == '.' || letter == '/';
  });
}

std::string IptablesTool(const firewall::RuleId& id) {
  return std::string(id.family == firewall::TableFamily::kIpv6 ? "ip6tables-" : "iptables-") +
         std::string(Name(id.backend)) + (id.table == "filter" ? "" : " -t " + id.table);
}

std::string_view IptablesMatch(Accepts accepts) {
  switch (accepts) {
    case Accepts::kClosing:
      return "-p tcp --tcp-flags $flag $flag -m conntrack --ctstate INVALID -j ACCEPT";
    case Accepts::kInvalid:
      return "-p tcp -m conntrack --ctstate INVALID -j ACCEPT";
    case Accepts::kReplies:
      return "-p tcp ! --syn -m conntrack --ctstate NEW,INVALID -j ACCEPT";
    case Accepts::kFins:
      return "-p tcp --tcp-flags SYN,FIN FIN -j ACCEPT";
  }
  return "";
}

// A bridge's rules cannot ask for conntrack's state without a bridge that tracks connections by itself.
std::string_view BridgeMatch(Accepts accepts) {
  switch (accepts) {
    case Accepts::kClosing:
    case Accepts::kInvalid:
      return "tcp flags & (fin | rst) != 0 accept";
    case Accepts::kReplies:
      return "tcp flags & (fin | syn | rst | ack) != syn accept";
    case Accepts::kFins:
      return "tcp flags & (fin | syn) == fin accept";
  }
  return "";
}

std::string_view NftMatch(Accepts accepts) {
  switch (accepts) {
    case Accepts::kClosing:
      return "ct state invalid tcp flags & (fin | rst) != 0 accept";
    case Accepts::kInvalid:
      return "meta l4proto tcp ct state invalid accept";
    case Accepts::kReplies:
      return "ct state new,invalid tcp flags & (fin | syn | rst | ack) != syn accept";
    case Accepts::kFins:
      return "tcp flags & (fin | syn) == fin accept";
  }
  return "";
}

std::string NftChain(const firewall::RuleId& id) {
  return std::string(Name(id.family)) + " " + id.table + " " + id.chain;
}

// `matches` in front of the rest, which asks for TCP only where they do not.
std::string WithMatches(const std::string& matches, std::string_view rest) {
  constexpr std::string_view kIsTcp = "meta l4proto tcp ";
  if (matches.empty()) {
    return std::string(rest);
  }
  if (rest.starts_with(kIsTcp) && (" " + matches).find(" tcp ") != std::string::npos) {
    rest.remove_prefix(kIsTcp.size());
  }
  return matches + " " + std::string(rest);
}

// What nft is to do, without quotes. Without a handle, so at a policy: at the chain's end, or at its start where
// packets come to the policy past the end.
std::string NftInsert(const diagnosis::DropSite& site, Accepts accepts, const std::string& matches) {
  const std::string where = site.rule.handle
                                ? "insert rule " + NftChain(site.rule) + " handle " + std::to_string(*site.rule.handle)
                                : (site.returned_to ? "insert rule " : "add rule ") + NftChain(site.rule);
  const bool bridge = site.rule.family == firewall::TableFamily::kBridge;
  return where + " " + WithMatches(matches, bridge ? BridgeMatch(accepts) : NftMatch(accepts));
}

// The chain and the rule for `iptables -D`; `matches` may be empty.
std::string IptablesRule(const diagnosis::DropSite& site, Accepts accepts, const std::string& matches,
                         const std::string& position) {
  constexpr std::string_view kIsTcp = "-p tcp";
  std::string_view rest = IptablesMatch(accepts);
  rest.remove_prefix(kIsTcp.size());
  return site.rule.chain + position + " " + std::string(kIsTcp) + (matches.empty() ? "" : " " + matches) +
         std::string(rest);
}

// "-I" and where, right in front of the rule as far as iptables can say so. `earlier`: what the same command line has
// inserted before.
std::string IptablesInsert(const Insertion& one, const std::string& matches, std::span<const Insertion> earlier) {
  const diagnosis::DropSite& site = *one.site;
  std::string position;
  if (site.position) {
    const auto moved_by = std::count_if(earlier.begin(), earlier.end(), [&](const Insertion& other) {
      return InOneChain(other.site->rule, site.rule) && other.site->position.value_or(0) <= *site.position &&
             (other.site->position || other.site->returned_to);
    });
    position = " " + std::to_string(*site.position + static_cast<std::uint64_t>(moved_by));
  }
  const bool at_the_end = site.rule.IsPolicy() && !site.returned_to;
  return std::string(at_the_end ? " -A " : " -I ") + IptablesRule(site, one.accepts, matches, position);
}

bool CanWrite(const diagnosis::DropSite& site) { return IsPlain(site.rule.table) && IsPlain(site.rule.chain); }

std::string Sleep() { return "; sleep " + std::to_string(kRetrySeconds) + "; "; }

}  // namespace

bool InOneChain(const firewall::RuleId& one, const firewall::RuleId& other) {
  return one.backend == other.backend && one.family == other.family && one.table == other.table &&
         one.chain == other.chain;
}

std::string AcceptCommand(const diagnosis::DropSite& site, Accepts accepts) {
  if (!CanWrite(site)) {
    return "";
  }
  if (site.rule.dialect == firewall::Dialect::kNft) {
    return "nft '" + NftInsert(site, accepts, {}) + "'";
  }
  const std::string insert = IptablesTool(site.rule) + IptablesInsert({&site, accepts}, {}, {});
  return accepts == Accepts::kClosing ? "for flag in FIN RST; do " + insert + "; done" : insert;
}

std::string TemporaryAcceptCommand(std::span<const Insertion> insertions, AcceptFor accept_for) {
  std::string insert;
  std::string remove;
  std::size_t number = 0;
  for (const Insertion& one : insertions) {
    if (!CanWrite(*one.site)) {
      return "";
    }
    const std::string matches = accept_for == AcceptFor::kItsConnections ? one.site->matches : std::string();
    const std::string between = number == 0 ? "" : "; ";
    if (one.site->rule.dialect == firewall::Dialect::kNft) {
      const std::string variable = "rule" + (number == 0 ? std::string() : std::to_string(number + 1));
      insert += between + variable + "=$(nft -ea '" + NftInsert(*one.site, one.accepts, matches) +
                "' | grep -o 'handle [0-9]*$')";
      remove += between + "nft \"delete rule " + NftChain(one.site->rule) + " $" + variable + "\"";
    } else {
      const std::string tool = IptablesTool(one.site->rule);
      insert += between + tool + IptablesInsert(one, matches, insertions.first(number));
      remove += between + tool + " -D " + IptablesRule(*one.site, one.accepts, matches, "");
    }
    ++number;
  }
  return insert + Sleep() + remove;
}

std::string SysctlCommand(const std::string& name, long long value) {
  return "sysctl -w " + name + "=" + std::to_string(value);
}

}  // namespace finwait::report
