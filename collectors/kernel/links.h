#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// A network device of this namespace (RTM_NEWLINK).
struct Link {
  std::uint32_t index = 0;
  std::string name;
  std::uint16_t type = 0;    ///< ARPHRD_*
  std::uint32_t group = 0;   ///< `ip link set group`
  std::string kind;          ///< "veth", "bridge"; "" for one without a kind
  std::uint32_t master = 0;  ///< the bridge, bond or VRF that it belongs to (index); 0: none
  /// The number that this namespace has for the one in which the other end is (IFLA_LINK_NETNSID); absent: in this one,
  /// or there is no other end.
  std::optional<std::int32_t> peer_namespace;
  std::string qdisc = {};                        ///< by which it sends: "fq_codel", "noqueue"
  std::vector<std::uint32_t> xdp_programs = {};  ///< the numbers of the BPF programs on all that comes in (XDP)
  std::uint32_t lower = 0;  ///< the device that a VLAN, a macvlan or an ipvlan sends by (index); 0: none here
};

/// How another network namespace is joined to this one.
struct NamespaceLink {
  /// The device whose other end is in it. Absent: none is, as for macvlan and ipvlan, whose packets pass no hook here,
  /// for a namespace behind another one, and for one that has only its loopback.
  std::optional<Link> device;
  std::optional<Link> master;  ///< of which `device` is a port
};

/// The devices of one network namespace, as they were when they were read. Needs no privilege.
class Links {
 public:
  static Result<Links> Read(const Host& host, Deadline deadline);

  const std::vector<Link>& All() const { return links_; }
  /// Null for none.
  const Link* Find(std::uint32_t index) const;
  /// How the namespace of that number, as NamespaceNumber() tells it, is joined to this one. Nothing where several
  /// devices lead there, or the master has gone meanwhile.
  std::optional<NamespaceLink> LinkTo(std::optional<std::int32_t> namespace_number) const;

 private:
  std::vector<Link> links_;  // by index, ascending
};

/// The number that this namespace has for the network namespace of process `pid` (RTM_GETNSID); nothing where it has
/// none, as no device leads there. Read the devices first: the kernel makes up numbers as it tells of them. `channel`
/// is of NETLINK_ROUTE. Needs no privilege, and the PID view that `pid` is of.
Result<std::optional<std::int32_t>> NamespaceNumber(netlink::Channel& channel, pid_t pid, Deadline deadline);
/// The same of a namespace whose file is open.
Result<std::optional<std::int32_t>> NumberOfOpenNamespace(netlink::Channel& channel, int file, Deadline deadline);

}  // namespace finwait::kernel
