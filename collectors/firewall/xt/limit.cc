// -m limit and -m hashlimit.
// "5/min", from the tenths of milliseconds between two packets: the smallest unit that still gives a whole number
// without much of a remainder, as iptables chooses it.
#include <linux/netfilter/xt_limit.h>

#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace limit {
namespace {

std::string RateText(std::uint32_t period) {
  struct Unit {
    const char* name;
    std::uint32_t scale;
  };
  static constexpr Unit kUnits[] = {{"day", XT_LIMIT_SCALE * 24 * 60 * 60},
                                    {"hour", XT_LIMIT_SCALE * 60 * 60},
                                    {"min", XT_LIMIT_SCALE * 60},
                                    {"sec", XT_LIMIT_SCALE}};
  const Unit* chosen = kUnits;
  for (const Unit& unit : kUnits) {
    if (period > unit.scale || unit.scale / period < unit.scale % period) {
      break;
    }
    chosen = &unit;
  }
  return std::to_string(chosen->scale / period) + "/" + chosen->name;
}

std::optional<OptionText> LimitText(const XtMatch& match, bool) {
  constexpr std::uint32_t kDefaultBurst = 5;
  const auto info = ReadAs<xt_rateinfo>(match.info);
  if (!info || info->avg == 0) {
    return std::nullopt;
  }
  return " --limit " + RateText(info->avg) +
         (info->burst == kDefaultBurst ? "" : " --limit-burst " + std::to_string(info->burst));
}

constexpr Traits kTraits = {.unknowable_because = "a rate limit"};

constexpr Match kMatches[] = {
    {.name = "hashlimit", .revisions = kAnyRevision, .traits = kTraits},
    {.name = "limit", .revisions = kAnyRevision, .traits = kTraits, .text = LimitText},
};

}  // namespace
}  // namespace limit

Family families::Limit() { return {.matches = limit::kMatches}; }

}  // namespace finwait::firewall::xt
