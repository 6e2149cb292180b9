#include "exporter/diagnosis/drop_site.h"

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

}  // namespace finwait::diagnosis
