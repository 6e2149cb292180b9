#include "tests/recording/ruleset_summary.h"

#include <algorithm>
#include <sstream>
#include <string_view>

#include "collectors/firewall/analysis/rule_identity.h"
#include "collectors/firewall/print/rule_text.h"
#include "tests/recording/message_text.h"

namespace finwait::recording {
namespace {

constexpr std::string_view kUnnamedChain = "__chain";

using namespace firewall;  // NOLINT(google-build-using-namespace): the model, half of whose names are used

void Summarize(const Set& set, std::ostream& text) {
  text << " set " << set.name << " key " << set.key_length << " types " << set.key_type << " " << set.data_type
       << (set.anonymous ? " anonymous" : "") << (set.interval ? " interval" : "") << (set.map ? " map" : "")
       << (set.verdict_map ? " verdicts" : "") << (set.object_map ? " objects" : "")
       << (set.has_timeout ? " timeout" : "") << (set.dynamic ? " dynamic" : "") << " fields";
  for (const std::uint32_t length : set.field_lengths) {
    text << " " << length;
  }
  text << " contents " << static_cast<int>(set.contents) << "\n";
  for (const SetElement& element : set.elements) {
    text << "  " << HexOf(element.key) << (element.key_end ? "-" + HexOf(*element.key_end) : "")
         << (element.catch_all ? "*" : "");
    if (const auto* value = std::get_if<Value>(&element.data)) {
      text << " : " << HexOf(*value);
    } else if (const auto* verdict = std::get_if<Verdict>(&element.data)) {
      text << " : verdict " << static_cast<int>(verdict->kind) << " " << verdict->chain;
    } else if (const auto* object = std::get_if<std::string>(&element.data)) {
      text << " : " << *object;
    }
    text << (element.counter ? " counter" : "") << (element.expires_ms ? " expires" : "");
    for (const std::string& expression : element.expressions) {
      text << " " << expression;
    }
    text << "\n";
  }
}

void Summarize(const Table& table, const Chain& chain, std::ostream& text) {
  text << " chain " << WithoutChainNumbers(chain.name) << " contents " << static_cast<int>(chain.contents);
  if (chain.base) {
    text << " hook " << Name(chain.base->hook) << " priority " << chain.base->priority << " type "
         << static_cast<int>(chain.base->type) << (chain.base->policy_drop ? " policy drop" : "")
         << (chain.base->policy_counter ? " counter" : "");
    for (const Device& device : chain.base->devices) {
      text << " device " << device.name << (device.prefix ? "*" : "");
    }
  }
  text << "\n";
  for (const Rule& rule : chain.rules) {
    // nft numbers chains without a name anew at each load; the hash of a rule that goes there takes in its name.
    const std::string words = WithoutChainNumbers(print::RuleText(table, chain, rule));
    text << "  " << rule.index << " ";
    if (words.find(kUnnamedChain) == std::string::npos) {
      text << std::hex << analysis::HashRule(rule) << std::dec << " ";
    }
    text << words << (rule.comment.empty() ? "" : " # " + rule.comment) << "\n";
  }
}

}  // namespace

std::string SummaryOf(const firewall::Ruleset& ruleset) {
  std::ostringstream text;
  for (const Table& table : ruleset.tables) {
    text << Name(table.backend) << " table " << Name(table.family) << " " << table.name
         << (table.dormant ? " dormant" : "") << "\n";
    for (const auto& [name, chain] : table.chains) {
      Summarize(table, *chain, text);
    }
    for (const auto& [name, set] : table.sets) {
      Summarize(*set, text);
    }
    for (const Object& object : table.objects) {
      text << " object " << object.type << " " << object.name << (object.counter ? " counter" : "") << "\n";
    }
  }
  return text.str();
}

std::string WithoutChainNumbers(std::string text) {
  for (std::size_t at = text.find(kUnnamedChain); at != std::string::npos; at = text.find(kUnnamedChain, at + 1)) {
    const std::size_t digits = at + kUnnamedChain.size();
    text.erase(digits, std::min(text.find_first_not_of("0123456789", digits), text.size()) - digits);
  }
  return text;
}

}  // namespace finwait::recording
