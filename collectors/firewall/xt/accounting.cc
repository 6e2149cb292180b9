// Targets after which the rule goes on and no rule can tell that the packet met them: they count, log, copy or label.
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace accounting {
namespace {

constexpr Target kTargets[] = {
    {.name = "AUDIT", .revisions = kAnyRevision, .traits = {}},
    {.name = "CONNSECMARK", .revisions = kAnyRevision, .traits = {.needs_conntrack = true}},
    {.name = "IDLETIMER", .revisions = kAnyRevision, .traits = {}},
    {.name = "LED", .revisions = kAnyRevision, .traits = {}},
    {.name = "RATEEST", .revisions = kAnyRevision, .traits = {}},
    {.name = "SECMARK", .revisions = kAnyRevision, .traits = {}},  // rules cannot ask for it
    {.name = "TEE", .revisions = kAnyRevision, .traits = {}},      // the copy goes its own way
    {.name = "TRACE", .revisions = kAnyRevision, .traits = {}},
};

}  // namespace
}  // namespace accounting

Family families::Accounting() { return {.targets = accounting::kTargets}; }

}  // namespace finwait::firewall::xt
