// Matches on other protocols than TCP, fragments and extension headers: no packet here has them.
#include "collectors/firewall/xt/packet_fields.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace other_protocols {
namespace {

constexpr Match kMatches[] = {
    {.name = "ah", .revisions = {0, 0}, .traits = {}, .conditions = Never},
    {.name = "dccp", .revisions = {0, 0}, .traits = {}, .conditions = Never},
    {.name = "dst", .revisions = {0, 0}, .traits = {}, .conditions = Never},
    {.name = "esp", .revisions = {0, 0}, .traits = {}, .conditions = Never},
    {.name = "frag", .revisions = {0, 0}, .traits = {}, .conditions = Never},
    {.name = "hbh", .revisions = {0, 0}, .traits = {}, .conditions = Never},
    {.name = "ipcomp", .revisions = {0, 0}, .traits = {}, .conditions = Never},
    {.name = "l2tp", .revisions = {0, 0}, .traits = {}, .conditions = Never},
    {.name = "mh", .revisions = {0, 0}, .traits = {}, .conditions = Never},
    {.name = "osf", .revisions = {0, 0}, .traits = {}, .conditions = Never},  // fingerprints SYN packets only
    {.name = "rt", .revisions = {0, 0}, .traits = {}, .conditions = Never},
    {.name = "sctp", .revisions = {0, 0}, .traits = {}, .conditions = Never},
    {.name = "srh", .revisions = {0, 1}, .traits = {}, .conditions = Never},
};

}  // namespace
}  // namespace other_protocols

Family families::OtherProtocols() { return {.matches = other_protocols::kMatches}; }

}  // namespace finwait::firewall::xt
