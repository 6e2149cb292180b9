#include "exporter/views/rule_json.h"

#include <utility>

#include "exporter/planning/rule_json.h"

namespace finwait::views {

nlohmann::ordered_json RuleJson(const std::optional<firewall::RuleId>& rule) {
  if (!rule) {
    return {{"backend", nullptr}, {"family", nullptr}, {"table", nullptr}, {"chain", nullptr}};
  }
  return planning::RuleJson(*rule);
}

nlohmann::ordered_json FlowtablesJson(const std::vector<firewall::FlowtableInTable>& flowtables) {
  auto json = nlohmann::ordered_json::array();
  for (const firewall::FlowtableInTable& one : flowtables) {
    auto devices = nlohmann::ordered_json::array();
    for (const firewall::Device& device : one.flowtable.devices) {
      devices.push_back(device.name + (device.prefix ? "*" : ""));
    }
    json.push_back({{"family", Name(one.family)},
                    {"table", one.table},
                    {"name", one.flowtable.name},
                    {"devices", std::move(devices)},
                    {"priority", one.flowtable.priority},
                    {"hardware", one.flowtable.hardware}});
  }
  return json;
}

}  // namespace finwait::views
