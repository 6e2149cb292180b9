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
  place.location = *verdict.location;
  place.hook = *verdict.hook;
  place.iptables =
      verdict.table->backend == firewall::Backend::kLegacy || firewall::print::IsIptablesTable(*verdict.table);
  place.rejects = verdict.decision == firewall::eval::Disposition::kReject;
  if (verdict.rule != nullptr) {
    place.rule_text = firewall::print::RuleText(*verdict.table, *verdict.chain, *verdict.rule);
  }
  return place;
}

std::string DescribeSite(const DropSite& place) {
  const firewall::RuleLocation& location = place.location;
  std::string text = place.IsPolicy() ? "the policy of " : "";
  if (place.iptables) {
    text += location.family == firewall::TableFamily::kIpv6 ? "ip6tables-" : "iptables-";
    text += std::string(Name(location.backend)) + " table " + location.table;
  } else {
    text += "nft table " + std::string(Name(location.family)) + " " + location.table;
  }
  text += ", chain " + location.chain;
  if (location.handle) {
    text += ", handle " + std::to_string(*location.handle);
  }
  if (location.rule_index) {
    text += ", rule " + std::to_string(*location.rule_index);
  }
  return text;
}

}  // namespace finwait::diagnosis
