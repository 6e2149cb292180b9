#include <linux/netfilter/xt_statistic.h>

#include <array>
#include <cstdio>

#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace statistic {
namespace {

OptionText Text(const xt_statistic_info& info) {
  const std::string inverted = Inversion((info.flags & XT_STATISTIC_INVERT) != 0);
  if (info.mode == XT_STATISTIC_MODE_RANDOM) {
    std::array<char, 32> share = {};
    std::snprintf(share.data(), share.size(), "%.11f", info.u.random.probability / 2147483648.0);
    return " --mode random" + inverted + " --probability " + share.data();
  }
  return " --mode nth" + inverted + " --every " + std::to_string(info.u.nth.every + 1) + " --packet " +
         std::to_string(info.u.nth.packet);
}

constexpr Match kMatches[] = {{.name = "statistic",
                               .revisions = kAnyRevision,
                               .traits = {.unknowable_because = "a statistical sample"},
                               .text = kMatchTextOf<xt_statistic_info, Text>}};

}  // namespace
}  // namespace statistic

Family families::Statistic() { return {.matches = statistic::kMatches}; }

}  // namespace finwait::firewall::xt
