#include "exporter/report/describe.h"

namespace finwait::report {

std::string Describe(const firewall::RuleId& rule) {
  std::string text = rule.IsPolicy() ? "the policy of " : "";
  if (rule.dialect == firewall::Dialect::kIptables) {
    text += rule.family == firewall::TableFamily::kIpv6 ? "ip6tables-" : "iptables-";
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

}  // namespace finwait::report
