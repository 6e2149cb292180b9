#pragma once

#include "collectors/firewall/xt/extension.h"

namespace finwait::firewall::xt {

/// The Ethernet address that a packet which comes in over an Ethernet device was sent from: that of the neighbour whose
/// address is the packet's source. One that comes from farther away, through a gateway, has an open one.
AbstractNumber<6> SourceHardwareAddress(const Packet& packet, const HookContext& context, FactLookup& facts);

}  // namespace finwait::firewall::xt
