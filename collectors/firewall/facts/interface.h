#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace finwait::firewall::facts {

/// A VRF: a device that stands for others, its ports, at some hooks. Its kind is "vrf", its type that of Ethernet.
struct Vrf {
  std::string name;
  std::uint32_t index = 0;
  std::uint32_t group = 0;
  bool operator==(const Vrf&) const = default;
};

/// A network device as rules see it. What is absent is not known.
struct Interface {
  std::optional<std::string> name;
  std::optional<std::uint32_t> index;
  std::optional<std::uint16_t> type;   ///< ARPHRD_*: 1 Ethernet, 772 loopback
  std::optional<std::uint32_t> group;  ///< `ip link set group`
  std::optional<std::string> kind;     ///< rtnl_link_ops: "veth", "bridge"; "" where it has none
  std::optional<Vrf> vrf = {};         ///< of which it is a port; absent: of none that is known
  bool operator==(const Interface&) const = default;
};

}  // namespace finwait::firewall::facts
