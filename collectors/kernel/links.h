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
};

/// The devices of one network namespace, as they were when they were read. Needs no privilege.
class Links {
 public:
  static Result<Links> Read(const Host& host, Deadline deadline);

  const std::vector<Link>& All() const { return links_; }
  /// Null for none.
  const Link* Find(std::uint32_t index) const;
  /// The devices whose other end is in the namespace of that number: none for macvlan and ipvlan, for a namespace
  /// behind another one, and for one that has only its loopback.
  std::vector<const Link*> LeadingTo(std::int32_t namespace_number) const;

 private:
  std::vector<Link> links_;  // by index, ascending
};

/// The number that this namespace has for the network namespace of process `pid` (RTM_GETNSID); nothing where it has
/// none, as no device leads there. Needs no privilege, and the PID view that `pid` is of.
Result<std::optional<std::int32_t>> NamespaceNumber(const Host& host, pid_t pid, Deadline deadline);

}  // namespace finwait::kernel
