// ERROR: the legacy tools' own mark at the end of a table and at the head of each chain. A packet that reaches one is
// dropped (ip_tables: "error: `%s'").
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace error {
namespace {

Effect Apply(const XtTarget&, Packet&, const HookContext&) { return {.kind = Effect::Kind::kDrop}; }

constexpr Target kTargets[] = {
    {.name = "ERROR", .revisions = kAnyRevision, .traits = {.terminal = true}, .apply = Apply}};

}  // namespace
}  // namespace error

Family families::Error() { return {.targets = error::kTargets}; }

}  // namespace finwait::firewall::xt
