#include "exporter/pairs/rules_json.h"

#include <string>

namespace finwait::pairs {

nlohmann::ordered_json ParseForeignJson(std::string_view text) {
  constexpr int kDeepest = 8;
  bool too_deep = false;
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(
      text,
      [&too_deep](int depth, nlohmann::ordered_json::parse_event_t, nlohmann::ordered_json&) {
        too_deep = too_deep || depth > kDeepest;
        return depth <= kDeepest;
      },
      false);
  return too_deep || json.is_discarded() ? nlohmann::ordered_json() : json;
}

const nlohmann::ordered_json& Member(const nlohmann::ordered_json& json, const char* name) {
  static const nlohmann::ordered_json nothing;
  const auto found = json.is_object() ? json.find(name) : json.end();
  return json.is_object() && found != json.end() ? *found : nothing;
}

nlohmann::ordered_json RulesJson(const std::vector<ForeignRule>& rules) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ForeignRule& rule : rules) {
    list.push_back({{"rule", nlohmann::ordered_json::parse(rule.json)}, {"text", rule.text}});
  }
  return list;
}

std::optional<std::vector<ForeignRule>> RulesOf(const nlohmann::ordered_json& json) {
  if (!json.is_array()) {
    return std::nullopt;
  }
  std::vector<ForeignRule> rules;
  for (const nlohmann::ordered_json& one : json) {
    const nlohmann::ordered_json& rule = Member(one, "rule");
    const nlohmann::ordered_json& text = Member(one, "text");
    if (!rule.is_object() || !text.is_string()) {
      return std::nullopt;
    }
    rules.push_back(
        {rule.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace), text.get<std::string>()});
  }
  return rules;
}

}  // namespace finwait::pairs
