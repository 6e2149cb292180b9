#pragma once

#include <cstdint>
#include <optional>

#include "collectors/base/ip.h"
#include "collectors/firewall/eval/packet_names.h"
#include "collectors/firewall/facts/fact_query.h"
#include "collectors/kernel/links.h"

namespace finwait::diagnosis {

using firewall::eval::ForwardedConnection;
using firewall::eval::HostSide;

/// How packets of another namespace come in by `device`, whose other end is in it. `master`: of which it is a port;
/// null for none. Nothing where that cannot be told: a port of something that is no bridge (Open vSwitch, a VRF).
std::optional<HostSide> HostSideOf(const kernel::Link& device, const kernel::Link* master);

/// That no device of this host leads to a namespace: it has macvlan or ipvlan devices, whose packets pass no rules of
/// this host, or another namespace lies between, whose rules nobody reads. Its connections are not evaluated.
HostSide NoHostSide();
bool IsNone(const HostSide& host_side);

/// The host side of the namespace that `links` have that number for, as NamespaceNumber() tells it; nothing where
/// several devices lead there.
std::optional<HostSide> HostSideOf(const kernel::Links& links, std::optional<std::int32_t> namespace_number);

/// The connection with all that routing and settings tell of its way through this host. What is missing is noted in
/// `facts`.
firewall::eval::Connection ConnectionThrough(const ForwardedConnection& forwarded, firewall::facts::FactQuery& facts);

}  // namespace finwait::diagnosis
