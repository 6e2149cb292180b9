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

/// How packets of a namespace that is joined so come in; NoHostSide() where no device leads to it. Nothing where that
/// cannot be told: a port of something that is neither bridge nor VRF (Open vSwitch).
std::optional<HostSide> HostSideOf(const kernel::NamespaceLink& joined);

/// That no device of this host leads to a namespace: it has macvlan or ipvlan devices, whose packets pass no rules of
/// this host (save for what ipvlan sends in mode l3 or l3s, which nothing here tells), or another namespace lies
/// between, whose rules nobody reads. Its connections are not evaluated.
HostSide NoHostSide();
/// That in words.
extern const char* const kNoHostSide;
/// Whether that is so of the connection's namespace.
bool PassesNoHook(const ForwardedConnection& forwarded);

/// The connection with all that routing and settings tell of its way through this host. What is missing is noted in
/// `facts`. `had_entry`: it was seen with an entry here, so that its packets pass this host's conntrack.
firewall::eval::Connection ConnectionThrough(const ForwardedConnection& forwarded, bool had_entry,
                                             firewall::facts::FactQuery& facts);

/// Why the packets of a connection that nobody has seen with an entry may pass this host's hooks by, although others of
/// its namespace do not: its address is reached by another device (it has a macvlan, too), or a bridge may pass them to
/// a gateway behind it. Null where nothing speaks for that.
const char* WhyItMayPassBy(const firewall::eval::Connection& connection);

}  // namespace finwait::diagnosis
