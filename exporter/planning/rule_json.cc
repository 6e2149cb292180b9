#include "exporter/planning/rule_json.h"

namespace finwait::planning {

Json RuleJson(const firewall::RuleId& rule) {
  Json json = {
      {"backend", Name(rule.backend)}, {"family", Name(rule.family)}, {"table", rule.table}, {"chain", rule.chain}};
  PutKnown(json, "handle", rule.handle);
  PutKnown(json, "rule_index", rule.index);
  return json;
}

firewall::RuleId RuleIn(const Json& json) {
  using firewall::Backend;
  using firewall::Dialect;
  using firewall::TableFamily;
  constexpr TableFamily kFamilies[] = {TableFamily::kIpv4, TableFamily::kIpv6, TableFamily::kInet, TableFamily::kNetdev,
                                       TableFamily::kBridge};
  firewall::RuleId rule;
  rule.backend = Named<Backend>(json.at("backend"), firewall::kBackends);
  rule.dialect = rule.backend == Backend::kLegacy ? Dialect::kIptables : Dialect::kNft;
  rule.family = Named<TableFamily>(json.at("family"), kFamilies);
  rule.table = json.at("table").get<std::string>();
  rule.chain = json.at("chain").get<std::string>();
  TakeKnown(json, "handle", rule.handle);
  TakeKnown(json, "rule_index", rule.index);
  return rule;
}

}  // namespace finwait::planning
