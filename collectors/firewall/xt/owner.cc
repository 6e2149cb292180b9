// -m owner. owner_mt(): without a socket that a process holds it matches when everything asked for is inverted.
#include <linux/netfilter/xt_owner.h>

#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace owner {
namespace {

Conditions Meaning(const xt_owner_match_info& info, const Packet& packet, const HookContext&) {
  const bool without = (info.match ^ info.invert) == 0;
  if (packet.owner == SocketOwner::kNone) {
    return {Condition::Of(without)};
  }
  constexpr std::string_view kOwner = "the process that holds the socket";
  if (packet.owner == SocketOwner::kUnknown || (info.match & XT_OWNER_SUPPL_GROUPS) != 0) {
    return {Condition::Of(Tristate::kUnknown, kOwner)};
  }
  Conditions conditions;
  if ((info.match & info.invert & XT_OWNER_SOCKET) != 0) {
    conditions.push_back(Condition::Of(false));
  }
  if ((info.match & XT_OWNER_UID) != 0) {
    conditions.push_back(
        Condition::In(packet.user.bytes, IntervalSet::Between(info.uid_min, info.uid_max), packet.family)
            .Invert((info.invert & XT_OWNER_UID) != 0));
  }
  if ((info.match & XT_OWNER_GID) != 0) {
    conditions.push_back(
        Condition::In(packet.group.bytes, IntervalSet::Between(info.gid_min, info.gid_max), packet.family)
            .Invert((info.invert & XT_OWNER_GID) != 0));
  }
  return conditions;
}

OptionText Text(const xt_owner_match_info& info) {
  const auto range = [](std::uint32_t from, std::uint32_t to) {
    return std::to_string(from) + (from == to ? "" : "-" + std::to_string(to));
  };
  std::string text;
  if ((info.match & XT_OWNER_SOCKET) != 0) {
    text += Inversion((info.invert & XT_OWNER_SOCKET) != 0) + " --socket-exists";
  }
  if ((info.match & XT_OWNER_UID) != 0) {
    text += Inversion((info.invert & XT_OWNER_UID) != 0) + " --uid-owner " + range(info.uid_min, info.uid_max);
  }
  if ((info.match & XT_OWNER_GID) != 0) {
    text += Inversion((info.invert & XT_OWNER_GID) != 0) + " --gid-owner " + range(info.gid_min, info.gid_max);
  }
  return text;
}

constexpr Match kMatches[] = {{.name = "owner",
                               .revisions = {1, 1},
                               .traits = {},
                               .conditions = kConditionsOf<xt_owner_match_info, Meaning>,
                               .text = kMatchTextOf<xt_owner_match_info, Text>}};

}  // namespace
}  // namespace owner

Family families::Owner() { return {.matches = owner::kMatches}; }

}  // namespace finwait::firewall::xt
