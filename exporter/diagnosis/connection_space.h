#pragma once

#include <string>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/firewall/eval/packet_names.h"
#include "collectors/firewall/packet/connection_class.h"
#include "collectors/firewall/packet/routing.h"

namespace finwait::diagnosis {

/// Connections whose packets take one way through this host.
struct SpacePart {
  firewall::eval::PathKind path = firewall::eval::PathKind::kLocal;
  firewall::packet::ConnectionClass connections;
};

/// Every connection that a socket of this host can have.
struct ConnectionSpace {
  std::vector<SpacePart> parts;
  std::vector<std::string> uncertain;  ///< what may be otherwise than assumed here, each as a sentence without a stop
};

/// To other hosts, by the device that routing picks, and over loopback. Peers without a route, link-local ones and
/// those that are no single host are left out.
ConnectionSpace SpaceOf(const firewall::packet::Routing& routing, IpFamily family);

/// A connection that stands for all of `part`.
firewall::eval::Connection AnyOf(firewall::eval::PathKind path, const firewall::packet::ConnectionClass& part);

}  // namespace finwait::diagnosis
