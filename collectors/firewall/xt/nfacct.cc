// -m nfacct: counts, and matches; with a quota, only once that is used up (nfacct_mt()).
#include <linux/netfilter/xt_nfacct.h>

#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace nfacct {
namespace {

std::string ObjectName(const XtMatch& match) {
  const auto info = ReadAs<xt_nfacct_match_info>(match.info);
  return info ? std::string(BoundedText(info->name)) : std::string();
}

constexpr std::string_view kQuota = "an accounting object's quota";

Conditions Meaning(const XtMatch& match, const Packet&, const HookContext&, FactLookup& facts) {
  const Tristate quota = facts.HasQuota(ObjectName(match));
  return {Condition::Of(quota == Tristate::kNo ? Tristate::kYes : Tristate::kUnknown, kQuota)};
}

// Two blanks, as iptables-save prints them.
OptionText Text(const xt_nfacct_match_info& info) { return " --nfacct-name  " + Quoted(BoundedText(info.name)); }

constexpr Match kMatches[] = {{.name = "nfacct",
                               .revisions = kAnyRevision,
                               .traits = {},
                               .conditions = Meaning,
                               .text = kMatchTextOf<xt_nfacct_match_info, Text>}};

}  // namespace
}  // namespace nfacct

Family families::Nfacct() { return {.matches = nfacct::kMatches}; }

}  // namespace finwait::firewall::xt
