#include "exporter/diagnosis/drop_site.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "collectors/firewall/print/rule_text.h"
#include "exporter/diagnosis/packet_evaluator.h"

namespace finwait::diagnosis {

bool IsLost(firewall::eval::Disposition disposition) {
  return disposition == firewall::eval::Disposition::kDrop || disposition == firewall::eval::Disposition::kReject;
}

namespace {

// Whether a packet may come to the chain's policy without having passed its last rule.
bool ReturnsEarly(const firewall::Table& table, const firewall::Chain& chain) {
  using Kind = firewall::Verdict::Kind;
  const auto returns = [](const firewall::Verdict& verdict) {
    return verdict.kind == Kind::kReturn || verdict.kind == Kind::kGoto;
  };
  const auto may_return = [&](const firewall::Expression& expression) {
    if (const auto* statement = std::get_if<firewall::VerdictStatement>(&expression)) {
      return returns(statement->verdict);
    }
    const auto* lookup = std::get_if<firewall::Lookup>(&expression);
    if (lookup == nullptr || !lookup->verdict) {
      return false;
    }
    const firewall::Set* map = FindSet(table, lookup->set);
    return map == nullptr || map->contents != firewall::Contents::kComplete ||
           std::any_of(map->elements.begin(), map->elements.end(), [&](const firewall::SetElement& element) {
             const auto* verdict = std::get_if<firewall::Verdict>(&element.data);
             return verdict == nullptr || returns(*verdict);
           });
  };
  return std::any_of(chain.rules.begin(), chain.rules.end(), [&](const firewall::Rule& rule) {
    return std::any_of(rule.expressions.begin(), rule.expressions.end(), may_return);
  });
}

}  // namespace

std::optional<DropSite> SiteOf(const firewall::eval::TraversalResult& result, PacketEvaluator& evaluator) {
  if (!IsLost(result.disposition) || !result.location || !result.hook) {
    return std::nullopt;
  }
  DropSite site;
  site.rule = *result.location;
  site.hook = *result.hook;
  site.rejects = result.disposition == firewall::eval::Disposition::kReject;
  const firewall::eval::RulePlace place = evaluator.FindRule(site.rule);
  if (place.rule != nullptr) {
    site.rule_text = firewall::print::RuleText(*place.table, *place.chain, *place.rule);
    site.matches = firewall::print::ConnectionMatches(*place.table, *place.chain, *place.rule);
    site.position = place.rule->index;
  } else if (place.chain != nullptr && site.rule.IsPolicy()) {
    site.returned_to = ReturnsEarly(*place.table, *place.chain);
  }
  return site;
}

std::shared_ptr<const DropSite> DropSites::Of(const firewall::eval::TraversalResult& result,
                                              PacketEvaluator& evaluator) {
  if (!IsLost(result.disposition) || !result.location || !result.hook) {
    return nullptr;
  }
  // The text of a rule costs more than to find the rule again.
  auto& known = known_[{*result.location, *result.hook, result.disposition == firewall::eval::Disposition::kReject}];
  // A rule whose chain has to be read again has no text yet: a later round has it.
  if (known == nullptr || (known->rule_text.empty() && !known->rule.IsPolicy())) {
    if (auto site = SiteOf(result, evaluator)) {
      known = std::make_shared<const DropSite>(std::move(*site));
    }
  }
  return known;
}

}  // namespace finwait::diagnosis
