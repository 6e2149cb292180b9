// -m tcpmss and the targets that change TCP options. Only a SYN carries a maximum segment size; of the other options
// nothing is known before a target has removed them, and nothing after.
#include <linux/netfilter/xt_TCPMSS.h>
#include <linux/netfilter/xt_tcpmss.h>

#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace {

Conditions Meaning(const xt_tcpmss_match_info& info, const Packet&, const HookContext&) {
  return {Condition::Of(false).Invert(info.invert != 0)};
}

OptionText MatchText(const xt_tcpmss_match_info& info) {
  return Inversion(info.invert != 0) + " --mss " + PortRangeText(info.mss_min, info.mss_max);
}

OptionText TargetText(const xt_tcpmss_info& info) {
  return info.mss == XT_TCPMSS_CLAMP_PMTU ? " --clamp-mss-to-pmtu" : " --set-mss " + std::to_string(info.mss);
}

constexpr Match kMatches[] = {{.name = "tcpmss",
                               .revisions = {0, 0},
                               .traits = {},
                               .conditions = kConditionsOf<xt_tcpmss_match_info, Meaning>,
                               .text = kMatchTextOf<xt_tcpmss_match_info, MatchText>}};

constexpr Target kTargets[] = {
    {.name = "TCPMSS", .revisions = kAnyRevision, .traits = {}, .text = kTargetTextOf<xt_tcpmss_info, TargetText>},
    {.name = "TCPOPTSTRIP", .revisions = kAnyRevision, .traits = {}},
};

}  // namespace

Family families::Tcpmss() { return {.matches = kMatches, .targets = kTargets}; }

}  // namespace finwait::firewall::xt
