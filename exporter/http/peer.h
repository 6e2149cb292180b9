#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <tuple>

namespace finwait::http {

/// Whom connections are counted against: an IPv4 address, or the /64 network of an IPv6 address, since one host has all
/// of that at its command. IPv4 seen through an IPv6 socket counts as IPv4.
class Peer {
 public:
  explicit Peer(const sockaddr_storage& address);
  bool operator==(const Peer&) const = default;
  bool operator<(const Peer& other) const {
    return std::tie(is_ipv6_, network_) < std::tie(other.is_ipv6_, other.network_);
  }

 private:
  std::array<std::uint8_t, 8> network_{};
  bool is_ipv6_ = false;
};

}  // namespace finwait::http
