#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace finwait::http {

/// Where to listen.
struct ListenAddress {
  std::string host;        ///< an address without brackets or a name; empty means every address of both families
  std::uint16_t port = 0;  ///< 0 lets the kernel choose
  bool operator==(const ListenAddress&) const = default;
};

/// ":port", "host:port" or "[IPv6 address]:port"; as in Go, brackets around an IPv4 address are allowed, so that one
/// template ("[$(HOST_IP)]:10061") does for both families. Nothing for anything else. Names are not looked up here.
std::optional<ListenAddress> ParseListenAddress(std::string_view text);

/// The form that ParseListenAddress takes.
std::string ToString(const ListenAddress& address);

}  // namespace finwait::http
