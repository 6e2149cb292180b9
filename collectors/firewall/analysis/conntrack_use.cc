#include "collectors/firewall/analysis/conntrack_use.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_CT.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <variant>

#include "collectors/firewall/eval/chain_evaluator.h"
#include "collectors/firewall/eval/xt_match.h"

namespace finwait::firewall::analysis {
namespace {

// Extensions whose checkentry takes conntrack into use.
constexpr std::string_view kMatches[] = {"cluster",  "connbytes", "connlabel", "connlimit",
                                         "connmark", "conntrack", "helper",    "state"};
constexpr std::string_view kTargets[] = {"CONNMARK", "CONNSECMARK", "DNAT", "MASQUERADE",
                                         "NETMAP",   "REDIRECT",    "SNAT", "SYNPROXY"};

template <std::size_t N>
bool IsOneOf(const std::string& name, const std::string_view (&names)[N]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// xt_ct_tg_check(): CT --notrack needs nothing.
bool IsTrackingTarget(const XtTarget& target) {
  xt_ct_target_info info;
  return target.name == "CT" && !(eval::ReadInfo(target.info, &info) && (info.flags & XT_CT_NOTRACK) != 0);
}

bool Needs(const Expression& expression) {
  if (const XtMatch* match = std::get_if<XtMatch>(&expression)) {
    return IsOneOf(match->name, kMatches);
  }
  if (const XtTarget* target = std::get_if<XtTarget>(&expression)) {
    return IsOneOf(target->name, kTargets) || IsTrackingTarget(*target);
  }
  if (const ObjectReference* reference = std::get_if<ObjectReference>(&expression)) {
    return reference->type == NFT_OBJECT_CT_HELPER || reference->type == NFT_OBJECT_CT_TIMEOUT ||
           reference->type == NFT_OBJECT_CT_EXPECT || reference->type == NFT_OBJECT_CONNLIMIT ||
           reference->type == NFT_OBJECT_SYNPROXY;
  }
  return std::holds_alternative<CtLoad>(expression) || std::holds_alternative<CtSet>(expression) ||
         std::holds_alternative<ConnectionLimit>(expression) || std::holds_alternative<Nat>(expression) ||
         std::holds_alternative<Masquerade>(expression) || std::holds_alternative<Redirect>(expression) ||
         std::holds_alternative<Synproxy>(expression) || std::holds_alternative<FlowOffload>(expression);
}

// In a nat chain a jump is taken to lead to a translation.
bool Leads(const Expression& expression) {
  const auto* statement = std::get_if<VerdictStatement>(&expression);
  const auto* lookup = std::get_if<Lookup>(&expression);
  return (statement != nullptr && !statement->verdict.chain.empty()) || (lookup != nullptr && lookup->verdict);
}

eval::Tristate Needs(eval::ChainEvaluator& evaluator, const Table& table, const Chain& chain) {
  const Chain* rules = evaluator.GetChain(table, chain.name);
  const bool nat = chain.base && chain.base->type == ChainType::kNat;
  for (const Rule& rule : rules->rules) {
    for (const Expression& expression : rule.expressions) {
      if (Needs(expression) || (nat && Leads(expression))) {
        return eval::Tristate::kYes;
      }
    }
  }
  return rules->contents == Contents::kComplete ? eval::Tristate::kNo : eval::Tristate::kUnknown;
}

}  // namespace

eval::Tristate NeedsConntrack(const Ruleset& ruleset, IpFamily family, facts::FactQuery* facts) {
  eval::ChainEvaluator evaluator(ruleset, facts);
  eval::Tristate needs = eval::Tristate::kNo;
  for (const Table& table : ruleset.tables) {
    if (!Covers(table.family, family) || table.family == TableFamily::kNetdev) {
      continue;  // the kernel accepts no rule of family netdev that needs conntrack
    }
    for (const auto& [name, chain] : table.chains) {
      needs = Or(needs, Needs(evaluator, table, *chain));
      if (needs == eval::Tristate::kYes) {
        return needs;
      }
    }
  }
  const bool blind = IsBlind(ruleset, Backend::kNft, family) || IsBlind(ruleset, Backend::kLegacy, family);
  return blind ? Or(needs, eval::Tristate::kUnknown) : needs;
}

}  // namespace finwait::firewall::analysis
