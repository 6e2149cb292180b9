// -m tcpmss and the targets that change TCP options. Only a SYN carries a maximum segment size.
#include <linux/netfilter/xt_TCPMSS.h>
#include <linux/netfilter/xt_TCPOPTSTRIP.h>
#include <linux/netfilter/xt_tcpmss.h>

#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/registry.h"
#include "collectors/firewall/xt/tcp_options.h"

namespace finwait::firewall::xt {
namespace tcpmss {
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

Effect Strip(const XtTarget& target, Packet& packet, const HookContext&) {
  const auto info = Decode<xt_tcpoptstrip_target_info>(target);
  if (!info || (info->strip_bmap[0] >> kTcpTimestamps & 1U) != 0) {
    StripTcpTimestamps(packet);
  }
  return {};
}

constexpr Match kMatches[] = {{.name = "tcpmss",
                               .revisions = {0, 0},
                               .traits = {},
                               .conditions = kConditionsOf<xt_tcpmss_match_info, Meaning>,
                               .text = kMatchTextOf<xt_tcpmss_match_info, MatchText>}};

constexpr Target kTargets[] = {
    {.name = "TCPMSS", .revisions = kAnyRevision, .traits = {}, .text = kTargetTextOf<xt_tcpmss_info, TargetText>},
    {.name = "TCPOPTSTRIP", .revisions = kAnyRevision, .traits = {.changes_packet = true}, .apply = Strip},
};

}  // namespace
}  // namespace tcpmss

Family families::Tcpmss() { return {.matches = tcpmss::kMatches, .targets = tcpmss::kTargets}; }

}  // namespace finwait::firewall::xt
