#include "exporter/views/rule_json.h"

#include "exporter/planning/rule_json.h"

namespace finwait::views {

nlohmann::ordered_json RuleJson(const std::optional<firewall::RuleId>& rule) {
  if (!rule) {
    return {{"backend", nullptr}, {"family", nullptr}, {"table", nullptr}, {"chain", nullptr}};
  }
  return planning::RuleJson(*rule);
}

}  // namespace finwait::views
