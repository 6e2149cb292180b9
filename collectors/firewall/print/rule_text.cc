#include "collectors/firewall/print/rule_text.h"

#include <algorithm>
#include <iterator>

#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/print/iptables_text.h"
#include "collectors/firewall/print/nft_text.h"

namespace finwait::firewall::print {
namespace {

std::string Bounded(std::string text) {
  constexpr std::string_view kMore = "...";
  if (text.size() > kMaxRuleText) {
    std::size_t end = kMaxRuleText - kMore.size();
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
      --end;  // not in the middle of a character
    }
    text.resize(end);
    text += kMore;
  }
  return text;
}

std::string_view IptablesName(Hook hook) {
  switch (hook) {
    case Hook::kPrerouting:
      return "PREROUTING";
    case Hook::kInput:
      return "INPUT";
    case Hook::kForward:
      return "FORWARD";
    case Hook::kOutput:
      return "OUTPUT";
    case Hook::kPostrouting:
      return "POSTROUTING";
    default:
      return "";
  }
}

}  // namespace

bool IsIptablesTable(const Table& table) {
  static constexpr std::string_view kNames[] = {"raw", "mangle", "nat", "filter", "security"};
  return (table.family == TableFamily::kIpv4 || table.family == TableFamily::kIpv6) &&
         std::find(std::begin(kNames), std::end(kNames), table.name) != std::end(kNames) &&
         std::all_of(table.chains.begin(), table.chains.end(), [](const auto& entry) {
           return !entry.second->base || entry.first == IptablesName(entry.second->base->hook);
         });
}

std::string RuleText(const Table& table, const Chain& chain, const Rule& rule) {
  if (table.backend == Backend::kLegacy || IsIptablesTable(table)) {
    if (auto text = IptablesRuleText(table, chain, rule)) {
      return Bounded(Printable(*text));
    }
  }
  return Bounded(Printable(NftRuleText(table, rule)));
}

}  // namespace finwait::firewall::print
