#include "exporter/diagnosis/drop_site.h"

#include <utility>

#include "collectors/firewall/print/rule_text.h"
#include "exporter/diagnosis/close_evaluator.h"

namespace finwait::diagnosis {

bool IsLost(firewall::eval::Disposition decision) {
  return decision == firewall::eval::Disposition::kDrop || decision == firewall::eval::Disposition::kReject;
}

std::optional<DropSite> SiteOf(const firewall::eval::TraversalResult& result, CloseEvaluator& evaluator) {
  if (!IsLost(result.decision) || !result.location || !result.hook) {
    return std::nullopt;
  }
  DropSite site;
  site.rule = *result.location;
  site.hook = *result.hook;
  site.rejects = result.decision == firewall::eval::Disposition::kReject;
  const firewall::eval::RulePlace place = evaluator.FindRule(site.rule);
  if (place.rule != nullptr) {
    site.rule_text = firewall::print::RuleText(*place.table, *place.chain, *place.rule);
  }
  return site;
}

std::shared_ptr<const DropSite> DropSites::Of(const firewall::eval::TraversalResult& result,
                                              CloseEvaluator& evaluator) {
  if (!IsLost(result.decision) || !result.location || !result.hook) {
    return nullptr;
  }
  // The text of a rule costs more than to find the rule again.
  auto& known = known_[{*result.location, *result.hook, result.decision == firewall::eval::Disposition::kReject}];
  // A rule whose chain has to be read again has no text yet: a later round has it.
  if (known == nullptr || (known->rule_text.empty() && !known->rule.IsPolicy())) {
    if (auto site = SiteOf(result, evaluator)) {
      known = std::make_shared<const DropSite>(std::move(*site));
    }
  }
  return known;
}

}  // namespace finwait::diagnosis
