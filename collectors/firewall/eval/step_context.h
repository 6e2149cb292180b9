#pragma once

#include "collectors/firewall/eval/hook_steps.h"
#include "collectors/firewall/eval/packet_names.h"
#include "collectors/firewall/eval/packet_path_settings.h"

namespace finwait::firewall::eval {

/// What rules can know of a connection's packets at each step, besides the packet itself: devices, socket, routes.
class StepContext {
 public:
  /// All must outlive this object.
  StepContext(const Connection& connection, PacketKind kind, const PacketPathSettings& settings, const HookSteps& steps)
      : connection_(connection), kind_(kind), settings_(settings), steps_(steps) {}

  HookContext At(const HookStep& step, const Packet& packet) const;
  /// What the packet leaves through: where it was going to, or where it was routed again.
  Interface OutDevice(const HookStep& step, const Packet& packet) const;

 private:
  const SocketFacts* SocketAt(const HookStep& step) const;
  Tristate AttachedAt(const HookStep& step) const;
  void DescribePassage(const HookStep& step, const Packet& packet, HookContext& context) const;
  Tristate SourceRoutesToInput() const;

  const Connection& connection_;
  const PacketKind kind_;
  const PacketPathSettings& settings_;
  const HookSteps& steps_;
};

}  // namespace finwait::firewall::eval
