#include <linux/netfilter/xt_multiport.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace multiport {
namespace {

Conditions Meaning(const xt_multiport_v1& info, const Packet& packet, const HookContext&) {
  std::vector<IntervalSet::Interval> ranges;
  for (unsigned i = 0; i < std::min<unsigned>(info.count, XT_MULTI_PORTS); ++i) {
    const std::uint16_t from = info.ports[i];
    const bool range = info.pflags[i] != 0 && i + 1 < XT_MULTI_PORTS;
    const std::uint16_t to = range ? info.ports[++i] : from;
    ranges.push_back({from, to});
  }
  const IntervalSet ports = IntervalSet::Union(std::move(ranges));
  const Condition source = Condition::In(packet.SourcePort(), ports, packet.family);
  const Condition destination = Condition::In(packet.DestinationPort(), ports, packet.family);
  Condition condition = info.flags == XT_MULTIPORT_SOURCE ? source
                        : info.flags == XT_MULTIPORT_DESTINATION
                            ? destination
                            : Condition::Either(source, destination, packet.family);
  return {condition.Invert(info.invert != 0)};
}

std::optional<OptionText> Text(const XtMatch& match, bool) {
  const auto info = ReadAs<xt_multiport_v1>(match.info);
  static constexpr const char* kOptions[] = {" --sports ", " --dports ", " --ports "};
  if (!info || info->flags >= std::size(kOptions) || info->count > XT_MULTI_PORTS) {
    return std::nullopt;
  }
  std::string text = Inversion(info->invert != 0) + kOptions[info->flags];
  for (int i = 0; i < info->count; ++i) {
    text += std::to_string(info->ports[i]);
    if (i + 1 < info->count) {
      text += info->pflags[i] != 0 ? ":" : ",";
    }
  }
  return text;
}

constexpr Match kMatches[] = {{.name = "multiport",
                               .revisions = {1, 1},
                               .traits = {},
                               .conditions = kConditionsOf<xt_multiport_v1, Meaning>,
                               .text = Text}};

}  // namespace
}  // namespace multiport

Family families::Multiport() { return {.matches = multiport::kMatches}; }

}  // namespace finwait::firewall::xt
