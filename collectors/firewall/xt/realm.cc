// -m realm: the class that routing gives to a packet (`ip route ... realm`).
#include <linux/netfilter/xt_realm.h>

#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/xt/option_text.h"
#include "collectors/firewall/xt/packet_fields.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace realm {
namespace {

Conditions Meaning(const xt_realm_info& info, const Packet&, const HookContext& context) {
  if (!context.realm) {
    return {Condition::Of(Tristate::kUnknown, "the route's realm")};
  }
  return {Condition::Of((*context.realm & info.mask) == info.id).Invert(info.invert != 0)};
}

// A realm that /etc/iproute2/rt_realms names is printed by its number.
OptionText Text(const xt_realm_info& info) {
  const std::string mask = info.mask == UINT32_MAX ? "" : "/" + HexText(info.mask);
  return (info.invert != 0 ? " ! --realm " : " --realm ") + HexText(info.id) + mask;
}

constexpr Match kMatches[] = {{.name = "realm",
                               .revisions = {0, 0},
                               .traits = {},
                               .conditions = kConditionsOf<xt_realm_info, Meaning>,
                               .text = kMatchTextOf<xt_realm_info, Text>}};

}  // namespace
}  // namespace realm

Family families::Realm() { return {.matches = realm::kMatches}; }

}  // namespace finwait::firewall::xt
