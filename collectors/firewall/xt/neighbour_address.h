#pragma once

#include "collectors/firewall/xt/extension.h"

namespace finwait::firewall::xt {

/// The Ethernet address that a packet which comes in over an Ethernet device was sent from: that of the neighbour whose
/// address is the packet's source. One that comes from farther away, through a gateway, has an open one.
AbstractNumber<6> SourceHardwareAddress(const Packet& packet, const HookContext& context, FactLookup& facts);

/// The Ethernet address that a frame is sent to which this host puts into a bridge: that of the packet's next hop. Open
/// everywhere else, and where a bridge passes on another host's frame.
AbstractNumber<6> DestinationHardwareAddress(const HookContext& context, FactLookup& facts);

}  // namespace finwait::firewall::xt
