#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// Which packets an IPsec policy is for (xfrm_selector), whatever its direction, mark, device and interface.
struct IpsecSelector {
  IpFamily family = IpFamily::kIpv4;
  std::array<std::byte, 16> source = {};  ///< network order; IPv4 has the first 4 bytes
  std::array<std::byte, 16> destination = {};
  unsigned source_bits = 0;
  unsigned destination_bits = 0;
  std::uint16_t source_port = 0;  ///< host order, as far as `source_ports` has ones
  std::uint16_t source_ports = 0;
  std::uint16_t destination_port = 0;
  std::uint16_t destination_ports = 0;
  std::uint8_t protocol = 0;  ///< 0: any

  /// Whether it holds for TCP packets between these ends, in one direction or the other.
  bool MayBeFor(const Endpoint& one, const Endpoint& other) const;
};

/// Whether the namespace has IPsec policies (XFRM_MSG_GETSPDINFO), those of single sockets aside: key exchange daemons
/// have them for their own. Loads no module: where nobody has loaded xfrm_user or af_key, nobody could make a policy.
/// Needs CAP_NET_ADMIN.
Result<bool> HasIpsecPolicies(const Host& host, Deadline deadline);

/// What they are for (XFRM_MSG_GETPOLICY), those of single sockets aside. Fails where they are more than
/// kMostIpsecPolicies.
Result<std::vector<IpsecSelector>> ReadIpsecSelectors(const Host& host, Deadline deadline);
inline constexpr std::size_t kMostIpsecPolicies = 4096;

/// Whether the kernel has NETLINK_XFRM, which is asked for them; false too where that cannot be read.
bool HasXfrm(const Host& host);

}  // namespace finwait::kernel
