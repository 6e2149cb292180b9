#pragma once

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

/// The connection with all that routing and settings tell of its way through this host. What is missing is noted in
/// `facts`.
firewall::eval::Connection ConnectionThrough(const ForwardedConnection& forwarded, firewall::facts::FactQuery& facts);

}  // namespace finwait::diagnosis
