// -m cgroup: the control group of the socket that sent or receives the packet, by its path (cgroup v2) or its class
// (net_cls). cgroup_mt(): without a socket it never matches, inverted or not.
#include <linux/netfilter/xt_cgroup.h>

#include <string>

#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace cgroup {
namespace {

constexpr std::string_view kGroup = "the socket's control group";

struct Group {
  std::optional<std::string> path;  // absent: by class
  std::uint32_t class_id = 0;
  bool inverted = false;
};

template <typename Info>
std::optional<Group> DecodeNewer(const XtMatch& match) {
  const auto info = ReadAs<Info>(match.info);
  if (!info) {
    return std::nullopt;
  }
  if (info->has_path != 0) {
    return Group{std::string(BoundedText(info->path)), 0, info->invert_path != 0};
  }
  return Group{std::nullopt, info->classid, info->invert_classid != 0};
}

std::optional<Group> DecodeGroup(const XtMatch& match) {
  if (match.revision == 1) {
    return DecodeNewer<xt_cgroup_info_v1>(match);
  }
  if (match.revision == 2) {
    return DecodeNewer<xt_cgroup_info_v2>(match);
  }
  const auto info = ReadAs<xt_cgroup_info_v0>(match.info);
  return info ? std::optional(Group{std::nullopt, info->id, info->invert != 0}) : std::nullopt;
}

// cgroup_is_descendant(): a group is its own descendant.
bool IsWithin(const std::string& path, std::string ancestor) {
  if (ancestor.empty() || ancestor.front() != '/') {
    ancestor.insert(0, 1, '/');
  }
  while (!ancestor.empty() && ancestor.back() == '/') {
    ancestor.pop_back();
  }
  return path.compare(0, ancestor.size(), ancestor) == 0 &&
         (path.size() == ancestor.size() || ancestor.empty() || path[ancestor.size()] == '/');
}

Tristate Holds(const Group& group, const packet::SocketFacts& socket, FactLookup& facts) {
  if (!group.path) {
    if (!socket.class_or_priority) {
      return Tristate::kUnknown;
    }
    // What is told is the class or, where there is none, the priority: a class of 0 is told as such only without one.
    const std::uint32_t told = *socket.class_or_priority;
    if (told == 0) {
      return TristateOf(group.class_id == 0);
    }
    return group.class_id == 0 || group.class_id == told ? Tristate::kUnknown : Tristate::kNo;
  }
  const facts::Fact* fact = socket.control_group ? facts.Ask(facts::ControlGroupKey{*socket.control_group}) : nullptr;
  const auto* known = fact != nullptr ? fact->As<std::shared_ptr<const facts::ControlGroup>>() : nullptr;
  return known != nullptr ? TristateOf(IsWithin((*known)->path, *group.path)) : Tristate::kUnknown;
}

Conditions Meaning(const XtMatch& match, const Packet& packet, const HookContext& context, FactLookup& facts) {
  const auto group = DecodeGroup(match);
  if (!group) {
    return Unreadable();
  }
  if (context.socket == nullptr || context.socket_attached == Tristate::kNo) {
    return {Condition::Of(false)};
  }
  if (packet.general) {  // no rule for a group singles it out
    return {Condition::Of(group->path && IsWithin("/", *group->path)).Invert(group->inverted)};
  }
  return {Condition::Of(context.socket_attached, kGroup),
          Condition::Of(Holds(*group, *context.socket, facts), kGroup).Invert(group->inverted)};
}

OptionText Text(const Group& group) {
  return Inversion(group.inverted) +
         (group.path ? " --path " + Quoted(*group.path) : " --cgroup " + std::to_string(group.class_id));
}

constexpr Match kMatches[] = {
    {.name = "cgroup", .revisions = {0, 2}, .traits = {}, .conditions = Meaning, .text = TextBy<DecodeGroup, Text>}};

}  // namespace
}  // namespace cgroup

Family families::Cgroup() { return {.matches = cgroup::kMatches}; }

}  // namespace finwait::firewall::xt
