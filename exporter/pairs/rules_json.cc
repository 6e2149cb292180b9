#include "exporter/pairs/rules_json.h"

#include <string>

namespace finwait::pairs {

using Json = nlohmann::ordered_json;

Json ParseForeignJson(std::string_view text) {
  constexpr int kDeepest = 8;
  bool too_deep = false;
  Json json = Json::parse(
      text,
      [&too_deep](int depth, Json::parse_event_t, Json&) {
        too_deep = too_deep || depth > kDeepest;
        return depth <= kDeepest;
      },
      false);
  return too_deep || json.is_discarded() ? Json() : json;
}

const Json& Member(const Json& json, const char* name) {
  static const Json nothing;
  const auto found = json.is_object() ? json.find(name) : json.end();
  return json.is_object() && found != json.end() ? *found : nothing;
}

Json RulesJson(const std::vector<ForeignRule>& rules) {
  Json list = Json::array();
  for (const ForeignRule& rule : rules) {
    list.push_back({{"rule", Json::parse(rule.json)}, {"text", rule.text}});
  }
  return list;
}

std::optional<std::vector<ForeignRule>> RulesOf(const Json& json) {
  if (!json.is_array()) {
    return std::nullopt;
  }
  std::vector<ForeignRule> rules;
  for (const Json& one : json) {
    const Json& rule = Member(one, "rule");
    const Json& text = Member(one, "text");
    if (!rule.is_object() || !text.is_string()) {
      return std::nullopt;
    }
    rules.push_back({rule.dump(-1, ' ', false, Json::error_handler_t::replace), text.get<std::string>()});
  }
  return rules;
}

}  // namespace finwait::pairs
