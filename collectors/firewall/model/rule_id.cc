#include "collectors/firewall/model/rule_id.h"

namespace finwait::firewall {

RuleId IdOf(const Table& table, const Chain& chain, const Rule* rule) {
  RuleId id;
  id.backend = table.backend;
  id.dialect = table.dialect;
  id.family = table.family;
  id.table = table.name;
  id.chain = chain.name;
  if (rule != nullptr && table.backend == Backend::kNft) {
    id.handle = rule->handle;
  } else if (rule != nullptr) {
    id.index = rule->index;
  }
  return id;
}

std::string Describe(const RuleId& rule) {
  std::string text = rule.IsPolicy() ? "the policy of " : "";
  if (rule.dialect == Dialect::kIptables) {
    text += rule.family == TableFamily::kIpv6 ? "ip6tables-" : "iptables-";
    text += std::string(Name(rule.backend)) + " table " + rule.table;
  } else {
    text += "nft table " + std::string(Name(rule.family)) + " " + rule.table;
  }
  text += ", chain " + rule.chain;
  if (rule.handle) {
    text += ", handle " + std::to_string(*rule.handle);
  }
  if (rule.index) {
    text += ", rule " + std::to_string(*rule.index);
  }
  return text;
}

}  // namespace finwait::firewall
