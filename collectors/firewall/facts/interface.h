#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace finwait::firewall::facts {

/// A network device as rules see it. What is absent is not known.
struct Interface {
  std::optional<std::string> name;
  std::optional<std::uint32_t> index;
  std::optional<std::uint16_t> type;   ///< ARPHRD_*: 1 Ethernet, 772 loopback
  std::optional<std::uint32_t> group;  ///< `ip link set group`
  std::optional<std::string> kind;     ///< rtnl_link_ops: "veth", "bridge"; "" where it has none
  bool operator==(const Interface&) const = default;
};

}  // namespace finwait::firewall::facts
