#pragma once

#include <cstdint>
#include <optional>

#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/packet/abstract_value.h"
#include "collectors/firewall/packet/connection.h"

namespace finwait::firewall::packet {

/// A device that a hook gives to its rules (nf_hook_state.in, .out), in abstract values.
struct DeviceView {
  bool present = false;
  AbstractNumber<16> name = AbstractNumber<16>::Known(0);  ///< NUL-padded; all zeros without a device
  AbstractNumber<4> index = AbstractNumber<4>::Known(0);   ///< 0 without a device
  AbstractNumber<2> type = AbstractNumber<2>::Known(0);
  AbstractNumber<4> group = AbstractNumber<4>::Known(0);
  AbstractNumber<16> kind = AbstractNumber<16>::Known(0);
  /// Its kind is known to be none (rtnl_link_ops is null).
  bool no_kind = false;

  static DeviceView Input(const Interface& device);
  static DeviceView Output(const Interface& device);
};

/// Where a packet is while a base chain looks at it.
struct HookContext {
  Hook hook = Hook::kInput;
  DeviceView in;
  DeviceView out;
  PathKind path_kind = PathKind::kLocal;
  /// The socket of this host that sent the packet, or on its way in the one that will receive it; null: neither end is
  /// here.
  const SocketFacts* socket = nullptr;
  /// The packet leads to that socket (skb->sk): what was sent here does, what comes in does once it is known who
  /// receives it.
  Tristate socket_attached = Tristate::kNo;
  /// Reads what follows of a packet that came in over a device: its link-layer header is there.
  bool has_link_header = false;
  /// The packet came in, or will, on the device that routing picks for its source: what reverse path filters ask.
  Tristate source_routes_to_input = Tristate::kUnknown;
  /// The device that routing picks for the packet's destination, where that is not this host.
  DeviceView route_to_destination;
  /// The same for its source.
  DeviceView route_to_source;
  /// Whether br_netfilter keeps the port of a bridge that received the packet (nf_bridge_info), and that port.
  Tristate has_bridge_port = Tristate::kUnknown;
  DeviceView bridge_port;
  /// At a bridge's own hooks: the bridge, of which `in` and `out` are ports.
  DeviceView bridge;
  /// A bridge passes the packet from port to port.
  bool bridged = false;
  /// To a bridge, what it passes on is addressed to another host (PACKET_OTHERHOST, br_handle_frame()); rules of IP
  /// that it calls are told that it is for this one (br_nf_pre_routing()), as all else is.
  bool IsForOtherHost() const { return bridged && bridge.present; }
  /// The next hop and the realm of the packet's route (its dst_entry); absent: not known, or it has none yet.
  std::optional<IpAddress> next_hop;
  std::optional<std::uint32_t> realm;
  /// The address that MASQUERADE gives to a packet here; absent: not known.
  std::optional<IpAddress> masquerade;
};

}  // namespace finwait::firewall::packet
