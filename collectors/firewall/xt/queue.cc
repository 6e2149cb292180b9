// -j NFQUEUE and -j QUEUE: a program decides, and may send the packet back changed or with another mark.
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace {

Effect Apply(const XtTarget&, Packet&, const HookContext&) { return {.kind = Effect::Kind::kQueue}; }

constexpr Traits kTraits = {.changes_packet = true, .terminal = true};

constexpr Target kTargets[] = {
    {.name = "NFQUEUE", .revisions = kAnyRevision, .traits = kTraits, .apply = Apply},
    {.name = "QUEUE", .revisions = kAnyRevision, .traits = kTraits, .apply = Apply},
};

}  // namespace

Family families::Queue() { return {.targets = kTargets}; }

}  // namespace finwait::firewall::xt
