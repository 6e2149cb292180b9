// -m physdev: the port of a bridge that received the packet. Without a bridge behind the packet it matches when
// everything asked for is inverted; a packet of our own has not met one yet.
#include <linux/netfilter/xt_physdev.h>

#include <span>
#include <string>
#include <utility>

#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace physdev {
namespace {

// Whether what came in over the device cannot have come through a bridge: devices of other kinds (vlan, macvlan, bond)
// may stand on one.
bool IsNoBridge(const packet::DeviceView& device) {
  if (device.no_kind) {
    return true;
  }
  std::string kind;
  for (const AbstractByte& byte : device.kind.bytes) {
    if (!byte.IsKnown()) {
      return false;
    }
    if (byte.value != 0) {
      kind += static_cast<char>(byte.value);
    }
  }
  return kind == "veth" || kind == "tun" || kind == "dummy" || kind == "wireguard";
}

// The name of the port, as far as `mask` covers it (ifname_compare_aligned()).
Condition NameIs(const packet::DeviceView& port, const char (&name)[IFNAMSIZ], const char (&mask)[IFNAMSIZ],
                 IpFamily family) {
  return Condition::Equal(AbstractBytes(port.name.bytes), std::as_bytes(std::span(name)), family,
                          std::as_bytes(std::span(mask)));
}

// physdev_mt() with nf_bridge_info. Which port a bridged packet leaves by is not known.
Conditions WithBridge(const xt_physdev_info& info, const Packet& packet, const HookContext& context) {
  const bool leaves_by_port = context.bridged && context.hook != Hook::kPrerouting;
  Conditions conditions;
  const auto ask = [&](unsigned operation, Condition condition) {
    if ((info.bitmask & operation) != 0) {
      conditions.push_back(std::move(condition.Invert((info.invert & operation) != 0)));
    }
  };
  ask(XT_PHYSDEV_OP_BRIDGED, Condition::Of(leaves_by_port));
  ask(XT_PHYSDEV_OP_ISIN, Condition::Of(true));
  ask(XT_PHYSDEV_OP_ISOUT, Condition::Of(leaves_by_port));
  ask(XT_PHYSDEV_OP_IN, NameIs(context.bridge_port, info.physindev, info.in_mask, packet.family));
  ask(XT_PHYSDEV_OP_OUT,
      leaves_by_port ? Condition::Of(Tristate::kUnknown, "by which port of a bridge it leaves") : Condition::Of(false));
  return conditions;
}

Conditions Meaning(const xt_physdev_info& info, const Packet& packet, const HookContext& context) {
  if (context.has_bridge_port == Tristate::kYes) {
    return WithBridge(info, packet, context);
  }
  const bool fresh = context.path_kind == PathKind::kLoopback || context.hook == Hook::kOutput ||
                     (context.path_kind == PathKind::kLocal && context.hook == Hook::kPostrouting);
  // "Bridged" is what a bridge forwards from port to port. Our packets are sent, received or routed here, whatever
  // port of a bridge they came in through.
  // So they have no port to leave through yet: whatever asks for one fails (physdev_mt()).
  constexpr unsigned kNeedsWayOut = XT_PHYSDEV_OP_BRIDGED | XT_PHYSDEV_OP_ISOUT | XT_PHYSDEV_OP_OUT;
  const unsigned asked = info.bitmask & ~unsigned{info.invert};
  const bool only_bridged = info.bitmask == XT_PHYSDEV_OP_BRIDGED;
  if (fresh || only_bridged || context.has_bridge_port == Tristate::kNo || (asked & kNeedsWayOut) != 0 ||
      IsNoBridge(context.in)) {
    return {Condition::Of(asked == 0)};
  }
  return {Condition::Of(Tristate::kUnknown, "whether a bridge port received the packet")};
}

constexpr Match kMatches[] = {
    {.name = "physdev", .revisions = {0, 0}, .traits = {}, .conditions = kConditionsOf<xt_physdev_info, Meaning>}};

}  // namespace
}  // namespace physdev

Family families::Physdev() { return {.matches = physdev::kMatches}; }

}  // namespace finwait::firewall::xt
