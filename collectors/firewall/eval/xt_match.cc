#include "collectors/firewall/eval/xt_match.h"

#include <string_view>

namespace finwait::firewall::eval {
namespace {

struct Reason {
  std::string_view name;
  std::string_view because;
};

// Extensions whose answer depends on chance, time, rates, other packets or data that no rule holds.
constexpr Reason kUnknowable[] = {
    {"bpf", "a BPF program"},
    {"cgroup", "the socket's control group"},
    {"connlimit", "a connection count"},
    {"cpu", "the CPU that handles the packet"},
    {"hashlimit", "a rate limit"},
    {"limit", "a rate limit"},
    {"nfacct", "an accounting object's quota"},
    {"policy", "an IPsec policy"},
    {"quota", "a quota"},
    {"rateest", "a rate estimate"},
    {"realm", "the route's realm"},
    {"recent", "a list of recent addresses"},
    {"set", "an ipset"},
    {"statistic", "a statistical sample"},
    {"string", "the packet's payload"},
    {"time", "the time"},
    {"u32", "bytes of the packet"},
};

}  // namespace

Conditions Unreadable() {
  return {Condition::Of(Tristate::kUnknown, "an xt match of a form not known to this version")};
}

Conditions ConditionsOf(const XtMatch& match, const Packet& packet, const HookContext& context) {
  for (const auto find : {FindConntrackMatch, FindHeaderMatch, FindMetadataMatch}) {
    if (const XtMatchHandler* handler = find(match)) {
      return handler->conditions(match, packet, context);
    }
  }
  for (const Reason& reason : kUnknowable) {
    if (match.name == reason.name) {
      return {Condition::Of(Tristate::kUnknown, reason.because)};
    }
  }
  return {Condition::Of(Tristate::kUnknown, match.name)};
}

}  // namespace finwait::firewall::eval
