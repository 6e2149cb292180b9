// Matches whose answer depends on other packets or data that no rule holds, and of which nothing more is known.
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace unpredictable {
namespace {

constexpr Match kMatches[] = {
    {.name = "cpu", .revisions = kAnyRevision, .traits = {.unknowable_because = "the CPU that handles the packet"}},
    {.name = "quota", .revisions = kAnyRevision, .traits = {.unknowable_because = "a quota"}},
    {.name = "rateest", .revisions = kAnyRevision, .traits = {.unknowable_because = "a rate estimate"}},
    {.name = "string", .revisions = kAnyRevision, .traits = {.unknowable_because = "the packet's payload"}},
};

}  // namespace
}  // namespace unpredictable

Family families::Unpredictable() { return {.matches = unpredictable::kMatches}; }

}  // namespace finwait::firewall::xt
