#include "exporter/views/rule_json.h"

namespace finwait::views {

nlohmann::ordered_json RuleJson(const std::optional<firewall::RuleId>& rule) {
  if (!rule) {
    return {{"backend", nullptr}, {"family", nullptr}, {"table", nullptr}, {"chain", nullptr}};
  }
  nlohmann::ordered_json json = {
      {"backend", Name(rule->backend)}, {"family", Name(rule->family)}, {"table", rule->table}, {"chain", rule->chain}};
  if (rule->handle) {
    json["handle"] = *rule->handle;
  }
  if (rule->index) {
    json["rule_index"] = *rule->index;
  }
  return json;
}

}  // namespace finwait::views
