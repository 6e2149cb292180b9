#pragma once

#include <memory>
#include <optional>

#include "collectors/firewall/eval/packet_names.h"
#include "collectors/firewall/eval/packet_path_settings.h"
#include "collectors/firewall/facts/fact_query.h"
#include "collectors/firewall/facts/need.h"

namespace finwait::firewall::eval {

/// Nothing is known any more of what the fields `first` to `last` say of a packet's device.
void ClearDevices(Packet& packet, Field first, Field last);

/// Where the kernel's routing sends a connection's packets, as far as facts about routes tell.
class PacketRouting {
 public:
  enum class Destination {
    kElsewhere,
    kThisHost,
    kNowhere,
    kMaybeNowhere,  ///< where to is not known, nor whether there is a route at all
  };

  /// `facts`: null where there are none. All must outlive this object.
  PacketRouting(facts::FactQuery* facts, const Connection& connection, const PacketPathSettings& settings)
      : facts_(facts), connection_(connection), settings_(settings) {}

  /// ip_route_input() between prerouting and what follows, for a packet that comes in on `in` of the host that forwards
  /// it. Without facts about routes, as for the representative connection, packets go where the connection says.
  Destination RouteArrival(const Interface& in, Packet& packet) const;

  /// nf_route_table_hook(), nf_nat_ipv4_local_fn(): a packet that is sent here is routed again when addresses, mark or
  /// type of service have changed since `before`. kThisHost is not told from kElsewhere.
  Destination Reroute(const Packet& before, Packet& packet) const;

 private:
  const facts::Fact* RouteOf(const Packet& packet) const;
  /// `key` for a packet of that mark and type of service, which are left out where routing does not ask for them.
  /// Nothing where one is not known that it asks for.
  std::optional<facts::RouteKey> WithMarks(facts::RouteKey key, const Packet& packet) const;

  facts::FactQuery* facts_;
  const Connection& connection_;
  const PacketPathSettings& settings_;
};

}  // namespace finwait::firewall::eval
