// ERROR: the legacy tools' own mark at the end of a table and at the head of each chain. A packet that reaches one is
// dropped (ip_tables: "error: `%s'").
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace {

Effect Apply(const XtTarget&, Packet&, const HookContext&) { return {.kind = Effect::Kind::kDrop}; }

constexpr Target kTargets[] = {
    {.name = "ERROR", .revisions = kAnyRevision, .traits = {.terminal = true}, .apply = Apply}};

}  // namespace

Family families::Error() { return {.targets = kTargets}; }

}  // namespace finwait::firewall::xt
