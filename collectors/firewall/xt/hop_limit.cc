// -m ttl and -m hl, which are laid out alike, and the targets that write the field.
#include <linux/netfilter_ipv4/ipt_ttl.h>
#include <linux/netfilter_ipv6/ip6t_hl.h>

#include <algorithm>
#include <iterator>

#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/packet_fields.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace hop_limit {
namespace {

static_assert(sizeof(ipt_ttl_info) == sizeof(ip6t_hl_info) && int{IPT_TTL_GT} == int{IP6T_HL_GT} &&
              int{IPT_TTL_LT} == int{IP6T_HL_LT} && int{IPT_TTL_NE} == int{IP6T_HL_NE});

std::size_t FieldOffset(const Packet& packet) { return packet.family == IpFamily::kIpv4 ? 8 : 7; }

Conditions Meaning(const ipt_ttl_info& info, const Packet& packet, const HookContext&) {
  const AbstractBytes value = AbstractBytes(packet.network).subspan(FieldOffset(packet), 1);
  const auto in = [&](unsigned from, unsigned to) {
    return Condition::In(value, IntervalSet::Between(from, to), packet.family);
  };
  switch (info.mode) {
    case IPT_TTL_EQ:
      return {in(info.ttl, info.ttl)};
    case IPT_TTL_NE:
      return {in(info.ttl, info.ttl).Invert()};
    case IPT_TTL_LT:
      return {info.ttl == 0 ? Condition::Of(false) : in(0, info.ttl - 1U)};
    case IPT_TTL_GT:
      return {info.ttl == 255 ? Condition::Of(false) : in(info.ttl + 1U, 255)};
    default:
      return {Condition::Of(false)};
  }
}

std::optional<OptionText> Text(const XtMatch& match, bool ipv6) {
  static constexpr const char* kModes[] = {"-eq", "-eq", "-lt", "-gt"};
  const auto info = ReadAs<ipt_ttl_info>(match.info);
  if (!info || info->mode >= std::size(kModes)) {
    return std::nullopt;
  }
  return Inversion(info->mode == IPT_TTL_NE) + (ipv6 ? " --hl" : " --ttl") + kModes[info->mode] + " " +
         std::to_string(info->ttl);
}

// ipt_TTL_info and ip6t_HL_info: their headers have the guards of those of the matches, so only one can be included.
struct Write {
  enum : std::uint8_t { kSet, kIncrease, kDecrease };
  std::uint8_t mode;
  std::uint8_t by;
};

// ttl_tg(), and hl_tg6(), whose structure is the same: what is above 255 is 255, what is below 0 is 0.
Effect Rewrite(const XtTarget& target, Packet& packet, const HookContext&) {
  AbstractByte& byte = packet.network[FieldOffset(packet)];
  const auto info = ReadAs<Write>(target.info);
  if (info && info->mode == Write::kSet) {
    byte = AbstractByte::Known(info->by);
  } else if (info && info->mode == Write::kIncrease && byte.IsKnown()) {
    byte = AbstractByte::Known(static_cast<std::uint8_t>(std::min(byte.value + info->by, 255)));
  } else if (info && info->mode == Write::kDecrease && byte.IsKnown()) {
    byte = AbstractByte::Known(static_cast<std::uint8_t>(std::max(byte.value - info->by, 0)));
  } else {
    byte = AbstractByte::Unknown();
  }
  return {};
}

constexpr auto kConditions = kConditionsOf<ipt_ttl_info, Meaning>;

constexpr Match kMatches[] = {
    {.name = "hl", .revisions = {0, 0}, .traits = {}, .conditions = kConditions, .text = Text},
    {.name = "ttl", .revisions = {0, 0}, .traits = {}, .conditions = kConditions, .text = Text},
};

constexpr Target kTargets[] = {
    {.name = "HL", .revisions = kAnyRevision, .traits = {.changes_packet = true}, .apply = Rewrite},
    {.name = "TTL", .revisions = kAnyRevision, .traits = {.changes_packet = true}, .apply = Rewrite},
};

}  // namespace
}  // namespace hop_limit

Family families::HopLimit() { return {.matches = hop_limit::kMatches, .targets = hop_limit::kTargets}; }

}  // namespace finwait::firewall::xt
