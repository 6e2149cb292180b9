#include "exporter/http/peer.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace finwait::http {

Peer::Peer(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET6) {
    const in6_addr& ipv6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    is_ipv6_ = !IN6_IS_ADDR_V4MAPPED(&ipv6);
    const std::uint8_t* first = is_ipv6_ ? ipv6.s6_addr : ipv6.s6_addr + 12;
    std::copy_n(first, is_ipv6_ ? 8 : 4, network_.begin());
  } else if (address.ss_family == AF_INET) {
    std::memcpy(network_.data(), &reinterpret_cast<const sockaddr_in&>(address).sin_addr, 4);
  }
}

}  // namespace finwait::http
