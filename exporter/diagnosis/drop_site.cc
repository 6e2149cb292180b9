#include "exporter/diagnosis/drop_site.h"

#include <utility>

#include "collectors/firewall/print/rule_text.h"

namespace finwait::diagnosis {

bool IsLost(firewall::eval::Disposition decision) {
  return decision == firewall::eval::Disposition::kDrop || decision == firewall::eval::Disposition::kReject;
}

std::optional<DropSite> SiteOf(const firewall::eval::TraversalResult& verdict) {
  if (!IsLost(verdict.decision) || !verdict.location || !verdict.hook || verdict.table == nullptr ||
      verdict.chain == nullptr) {
    return std::nullopt;
  }
  DropSite place;
  place.rule = *verdict.location;
  place.hook = *verdict.hook;
  place.rejects = verdict.decision == firewall::eval::Disposition::kReject;
  if (verdict.rule != nullptr) {
    place.rule_text = firewall::print::RuleText(*verdict.table, *verdict.chain, *verdict.rule);
  }
  return place;
}

std::shared_ptr<const DropSite> DropSites::Of(const firewall::eval::TraversalResult& verdict) {
  if (!IsLost(verdict.decision) || !verdict.location || !verdict.hook) {
    return nullptr;
  }
  // The text of a rule costs more than to find the rule again.
  auto& known = known_[{*verdict.location, *verdict.hook, verdict.decision == firewall::eval::Disposition::kReject}];
  if (known == nullptr) {
    if (auto site = SiteOf(verdict)) {
      known = std::make_shared<const DropSite>(std::move(*site));
    }
  }
  return known;
}

}  // namespace finwait::diagnosis
