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

}  // namespace

std::string RuleText(const Table& table, const Chain& chain, const Rule& rule) {
  if (table.dialect == Dialect::kIptables) {
    if (auto text = IptablesRuleText(table, chain, rule)) {
      return Bounded(Printable(*text));
    }
  }
  return Bounded(Printable(NftRuleText(table, rule)));
}

std::string ConnectionMatches(const Table& table, const Chain& chain, const Rule& rule) {
  std::string text =
      table.dialect == Dialect::kIptables ? IptablesMatches(table, chain, rule) : NftMatches(table, rule);
  return text.size() > kMaxRuleText ? std::string() : text;
}

}  // namespace finwait::firewall::print
