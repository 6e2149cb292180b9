#include "exporter/diagnosis/drop_place.h"

#include "collectors/firewall/text/rule_text.h"

namespace finwait {

bool IsLost(firewall::PathDecision decision) {
  return decision == firewall::PathDecision::kDrop || decision == firewall::PathDecision::kReject;
}

std::optional<DropPlace> PlaceOf(const firewall::PathVerdict& verdict) {
  if (!IsLost(verdict.decision) || !verdict.location || !verdict.hook || verdict.table == nullptr ||
      verdict.chain == nullptr) {
    return std::nullopt;
  }
  DropPlace place;
  place.location = *verdict.location;
  place.hook = *verdict.hook;
  place.iptables = verdict.table->backend == firewall::Backend::kLegacy || firewall::IsIptablesTable(*verdict.table);
  place.rejects = verdict.decision == firewall::PathDecision::kReject;
  if (verdict.rule != nullptr) {
    place.rule_text = firewall::RuleText(*verdict.table, *verdict.chain, *verdict.rule);
  }
  return place;
}

std::string DescribePlace(const DropPlace& place) {
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

}  // namespace finwait
