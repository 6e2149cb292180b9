#pragma once

#include "collectors/firewall/xt/extension.h"

namespace finwait::firewall::xt {

/// What a legacy rule's fixed part asks of a packet.
Conditions ConditionsOf(const IpHeaderMatch& match, const Packet& packet, const HookContext& context);

}  // namespace finwait::firewall::xt
