// Matches whose answer depends on time, other packets or data that no rule holds, and of which nothing more is known.
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace {

constexpr Match kMatches[] = {
    {.name = "bpf", .revisions = kAnyRevision, .traits = {.unknowable_because = "a BPF program"}},
    {.name = "cgroup", .revisions = kAnyRevision, .traits = {.unknowable_because = "the socket's control group"}},
    {.name = "connlimit",
     .revisions = kAnyRevision,
     .traits = {.needs_conntrack = true, .unknowable_because = "a connection count"}},
    {.name = "cpu", .revisions = kAnyRevision, .traits = {.unknowable_because = "the CPU that handles the packet"}},
    {.name = "policy", .revisions = kAnyRevision, .traits = {.unknowable_because = "an IPsec policy"}},
    {.name = "quota", .revisions = kAnyRevision, .traits = {.unknowable_because = "a quota"}},
    {.name = "rateest", .revisions = kAnyRevision, .traits = {.unknowable_because = "a rate estimate"}},
    {.name = "realm", .revisions = kAnyRevision, .traits = {.unknowable_because = "the route's realm"}},
    {.name = "recent", .revisions = kAnyRevision, .traits = {.unknowable_because = "a list of recent addresses"}},
    {.name = "string", .revisions = kAnyRevision, .traits = {.unknowable_because = "the packet's payload"}},
    {.name = "time", .revisions = kAnyRevision, .traits = {.unknowable_because = "the time"}},
    {.name = "u32", .revisions = kAnyRevision, .traits = {.unknowable_because = "bytes of the packet"}},
};

}  // namespace

Family families::Unpredictable() { return {.matches = kMatches}; }

}  // namespace finwait::firewall::xt
