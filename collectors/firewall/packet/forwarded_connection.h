#pragma once

#include <optional>

#include "collectors/base/ip.h"
#include "collectors/firewall/facts/interface.h"
#include "collectors/firewall/packet/connection.h"
#include "collectors/firewall/packet/tristate.h"

namespace finwait::firewall::packet {

/// How the packets of another network namespace reach this host's IP layer.
struct HostSide {
  /// The device that rules see them come in by: the near end of a veth pair, a VRF's port or none, or the
  /// bridge that has it as a port.
  Interface device;
  /// The port of the bridge, where `device` is one.
  std::optional<Interface> port;
  bool operator==(const HostSide&) const = default;
};

/// A TCP connection of another network namespace (a container, a pod) whose packets this host forwards: as its socket
/// has it, and how it reaches the host. What is absent is not known.
struct ForwardedConnection {
  Endpoint local;  ///< the end in that namespace
  Endpoint peer;   ///< as that socket has it: before the host's DNAT, if it was translated
  /// Absent: the device that the host's route back to `local` leaves by is taken.
  std::optional<HostSide> host_side;
  /// Whether the packets of that namespace pass this host's conntrack: kYes where any connection of it was seen with
  /// an entry. A BPF program may carry them past it (Cilium), which no rule tells.
  Tristate tracked = Tristate::kUnknown;
  OpenedBy opened_by = OpenedBy::kUnknown;
  bool peer_has_closed = false;  ///< CLOSE_WAIT, LAST_ACK, CLOSING: the peer's FIN has come
  bool sends_first = false;      ///< data or window probes go out before the FIN, and again and again
  /// It is of Multipath TCP. kUnknown: other connections of its namespace are, and nobody there told of this one.
  Tristate multipath = Tristate::kNo;
  bool window_closed = false;  ///< those are probes of a closed window
};

}  // namespace finwait::firewall::packet
