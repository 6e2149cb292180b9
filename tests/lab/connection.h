#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "collectors/base/unique_fd.h"
#include "tests/lab/namespace.h"

namespace finwait::lab {

/// A listening TCP socket in a namespace. `address` is IPv4 or IPv6 text; `protocol`, here and below: 0 for TCP, or
/// IPPROTO_MPTCP.
class Listener {
 public:
  Listener(const Namespace& where, const std::string& address, std::uint16_t port, int protocol = 0);
  /// The next connection; throws after 5 s.
  UniqueFd Accept() const;
  /// Whether Accept has one at once.
  bool HasConnection() const;

 private:
  UniqueFd fd_;
};

/// Connects from inside `where`; throws when it does not work within 5 s. `local_address` may be "" for the route's
/// own.
UniqueFd Connect(const Namespace& where, const std::string& address, std::uint16_t port,
                 const std::string& local_address = "", int protocol = 0);

/// Both ends of `count` connections to `listener`, which is at `address`: of each the client's, then the server's.
std::vector<UniqueFd> ConnectMany(std::size_t count, const Namespace& where, const std::string& address,
                                  std::uint16_t port, const Listener& listener);

/// "192.0.2.1:40000" or "[2001:db8::1]:40000", as `explain` takes them.
std::string LocalEndpoint(const UniqueFd& socket);
std::string PeerEndpoint(const UniqueFd& socket);

/// Waits until `condition` holds, looking every 20 ms; false after `seconds`. For the kernel's own delays (timers,
/// retries), where there is no event to wait for.
bool Eventually(const std::function<bool()>& condition, double seconds = 10);

}  // namespace finwait::lab
