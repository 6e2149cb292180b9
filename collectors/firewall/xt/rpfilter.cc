// -m rpfilter: whether the route back to the packet's source is the one that it came by.
#include <linux/netfilter/xt_rpfilter.h>

#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace rpfilter {
namespace {

Conditions Meaning(const xt_rpfilter_info& info, const Packet&, const HookContext& context) {
  const bool inverted = (info.flags & XT_RPFILTER_INVERT) != 0;
  if (context.path_kind == PathKind::kLoopback) {
    return {Condition::Of(true).Invert(inverted)};
  }
  Tristate passes = context.source_routes_to_input;
  if (passes == Tristate::kNo && (info.flags & XT_RPFILTER_LOOSE) != 0) {
    passes = Tristate::kYes;
  }
  if ((info.flags & XT_RPFILTER_VALID_MARK) != 0) {
    passes = Tristate::kUnknown;
  }
  return {Condition::Of(passes, "the route back to the source").Invert(inverted)};
}

OptionText Text(const xt_rpfilter_info& info) {
  std::string text;
  for (const NamedBit& option :
       {NamedBit{XT_RPFILTER_LOOSE, " --loose"}, NamedBit{XT_RPFILTER_VALID_MARK, " --validmark"},
        NamedBit{XT_RPFILTER_ACCEPT_LOCAL, " --accept-local"}, NamedBit{XT_RPFILTER_INVERT, " --invert"}}) {
    text += (info.flags & option.bit) != 0 ? option.name : "";
  }
  return text;
}

constexpr Match kMatches[] = {{.name = "rpfilter",
                               .revisions = {0, 0},
                               .traits = {},
                               .conditions = kConditionsOf<xt_rpfilter_info, Meaning>,
                               .text = kMatchTextOf<xt_rpfilter_info, Text>}};

}  // namespace
}  // namespace rpfilter

Family families::Rpfilter() { return {.matches = rpfilter::kMatches}; }

}  // namespace finwait::firewall::xt
