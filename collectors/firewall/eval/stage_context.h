#pragma once

#include "collectors/firewall/eval/hook_stages.h"
#include "collectors/firewall/eval/namespace_settings.h"
#include "collectors/firewall/eval/packet_names.h"

namespace finwait::firewall::eval {

/// What rules can know of a connection's packets at each stage, besides the packet itself: devices, socket, routes.
class StageContext {
 public:
  /// All must outlive this object.
  StageContext(const Connection& connection, PacketKind kind, const NamespaceSettings& settings,
               const HookStages& stages)
      : connection_(connection), kind_(kind), settings_(settings), stages_(stages) {}

  HookContext At(const Stage& stage, const Packet& packet) const;
  /// What the packet leaves through: where it was going to, or where it was routed again.
  Interface OutDevice(const Stage& stage, const Packet& packet) const;

 private:
  const SocketFacts* SocketAt(const Stage& stage) const;
  Tristate AttachedAt(const Stage& stage) const;
  void DescribePassage(const Stage& stage, const Packet& packet, HookContext& context) const;
  Tristate SourceRoutesToInput() const;

  const Connection& connection_;
  const PacketKind kind_;
  const NamespaceSettings& settings_;
  const HookStages& stages_;
};

}  // namespace finwait::firewall::eval
