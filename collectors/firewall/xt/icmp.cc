// -m icmp and -m icmp6, which are laid out alike. No TCP packet is one.
#include <linux/netfilter_ipv4/ip_tables.h>

#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/packet_fields.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace icmp {
namespace {

std::optional<OptionText> Text(const XtMatch& match, bool ipv6) {
  constexpr std::uint8_t kAny = 0xff;
  const auto info = ReadAs<ipt_icmp>(match.info);
  if (!info || (info->code[0] != info->code[1] && (info->code[0] != 0 || info->code[1] != kAny))) {
    return std::nullopt;
  }
  std::string text = Inversion((info->invflags & IPT_ICMP_INV) != 0) + (ipv6 ? " --icmpv6-type " : " --icmp-type ");
  if (!ipv6 && info->type == kAny) {
    return text + "any";
  }
  text += std::to_string(info->type);
  return info->code[0] == info->code[1] ? text + "/" + std::to_string(info->code[0]) : text;
}

constexpr Match kMatches[] = {
    {.name = "icmp", .revisions = {0, 0}, .traits = {}, .conditions = Never, .text = Text},
    {.name = "icmp6", .revisions = {0, 0}, .traits = {}, .conditions = Never, .text = Text},
};

}  // namespace
}  // namespace icmp

Family families::Icmp() { return {.matches = icmp::kMatches}; }

}  // namespace finwait::firewall::xt
