// -j CLASSIFY: sets the packet's priority, which `meta priority` reads.
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace classify {
namespace {

Effect Apply(const XtTarget&, Packet& packet, const HookContext&) {
  packet.priority = AbstractNumber<4>::Unknown();
  return {};
}

constexpr Target kTargets[] = {
    {.name = "CLASSIFY", .revisions = kAnyRevision, .traits = {.changes_packet = true}, .apply = Apply}};

}  // namespace
}  // namespace classify

Family families::Classify() { return {.targets = classify::kTargets}; }

}  // namespace finwait::firewall::xt
