#pragma once

#include <vector>

#include "collectors/firewall/eval/packet_names.h"
#include "collectors/firewall/eval/packet_path_settings.h"
#include "collectors/firewall/model/ruleset.h"

namespace finwait::firewall::eval {

/// Whose hook it is: that of IP, or of a device that packets of IP are seen on; that of a bridge, whose tables are of
/// family bridge; that of the bridge's port.
enum class Layer { kIp, kBridge, kPort };

/// One hook of a path and the devices that it gives to its rules.
struct HookStep {
  Hook hook;
  const Interface* in = nullptr;
  const Interface* out = nullptr;
  bool has_link_header = false;
  Layer layer = Layer::kIp;
  const Interface* bridge = nullptr;  ///< of which `in` or `out` is a port; not on kIp
  /// A VRF's own turn at what it sends: conntrack leaves packets alone, and rules see them as UNTRACKED.
  bool untracked = false;
};

/// Of a packet that this host forwards: the hooks before routing has decided, and those after it.
struct ForwardedWay {
  const Interface* in = nullptr;
  const Interface* receiver = nullptr;  ///< what rules see it come in by once it has been routed
  std::vector<HookStep> arrival;
  std::vector<HookStep> onward;
};

/// Whether packets that pass `device` pass a bridge's hooks, too. `port`: of it, if it is one. `general`: of the
/// connection that stands for all, which is taken to pass none.
Tristate IsBridge(const Interface& device, const Interface& port, bool general);

/// Which hooks a connection's packets of one kind pass, in their order. The steps point into this object.
class HookSteps {
 public:
  HookSteps(const Ruleset& ruleset, const Connection& connection, PacketKind kind, const PacketPathSettings& settings);
  HookSteps(const HookSteps&) = delete;
  HookSteps& operator=(const HookSteps&) = delete;

  /// Of what this host sends or receives.
  std::vector<HookStep> OfThisHost() const;
  /// Of what left through loopback, or through the VRF that is its loopback, and comes in again.
  std::vector<HookStep> InThroughLoopback() const;
  /// Of what this host forwards.
  ForwardedWay Through() const;

  /// What the peer's packets arrive on or, of a forwarded connection, those of the end behind this host.
  const Interface& Arrival() const { return arrival_; }
  const Interface& AnyPort() const { return any_port_; }
  /// Whether the packets of a peer of this host's come in by a bridge, and by which of its ports.
  bool ArrivesByBridge() const;
  const Interface& ArrivalPort() const { return connection_.ingress ? any_port_ : far_port_; }
  /// The device by which packets between two sockets of this host go: lo, or a VRF.
  const Interface& LoopbackDevice() const { return loopback_; }

 private:
  ForwardedWay ThroughOneBridge(const Interface* in, const Interface* in_port, const Interface* out,
                                const Interface* out_port) const;
  std::vector<HookStep> InFromOutside(const Interface* in, const Interface* port) const;
  const Interface* ReceiverOf(const Interface* in) const;
  void AddOutThroughBridge(const Interface* out, const Interface* port, std::vector<HookStep>& way) const;
  bool HasBridgeHooks(const Interface& device, const Interface& port) const;

  const Connection& connection_;
  const PacketKind kind_;
  const PacketPathSettings& settings_;
  const bool has_bridge_table_;
  const Interface arrival_;
  const Interface egress_vrf_;
  const Interface arrival_vrf_;
  const Interface loopback_;
  const Interface any_port_;
  // The ports by which packets come from the local end behind a bridge, and by which they go to the peer.
  const Interface near_port_;
  const Interface far_port_;
};

}  // namespace finwait::firewall::eval
