#pragma once

#include <optional>
#include <set>
#include <string>

#include "collectors/firewall/eval/packet_names.h"
#include "collectors/firewall/packet/connection_class.h"

namespace finwait::report {

/// Addresses as networks or ranges, the first few of them: "10.0.0.0/8, 192.0.2.7 and 3 more". Where all but a few of
/// `all` are meant: "any but 10.0.0.0/8".
std::string AddressesText(const firewall::packet::IntervalSet& set, const firewall::packet::IntervalSet& all,
                          IpFamily family);
/// The same for ports, owners and marks.
std::string NumbersText(const firewall::packet::IntervalSet& set, const firewall::packet::IntervalSet& all);

/// The devices that connections of the class leave through; nothing among them for one whose name is not known.
std::set<std::optional<std::string>> DeviceNames(const firewall::packet::ConnectionClass& connections);

/// Which connections a class holds, by all that tells them from the rest of `space`: "connections that this host opened
/// to 10.0.0.0/8, port 5432".
std::string ClassText(firewall::eval::PathKind path, const firewall::packet::ConnectionClass& connections,
                      const firewall::packet::ConnectionClass& space);

}  // namespace finwait::report
