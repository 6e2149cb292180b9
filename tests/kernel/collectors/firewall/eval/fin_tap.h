#pragma once

#include <set>
#include <string>

#include "collectors/base/unique_fd.h"
#include "tests/lab/namespace.h"

namespace finwait::firewall::eval {

/// Listens to what leaves the devices of a namespace, its loopback included, behind all of their rules, and remembers
/// which connections' FINs were among it.
class FinTap {
 public:
  explicit FinTap(const lab::Namespace& where);

  /// Whether a FIN has left since the last Forget(), from and to the addresses of `row`: the "local remote" of
  /// /proc/net/tcp and tcp6.
  bool Saw(const std::string& row);
  void Clear();

 private:
  void ReadAll();

  UniqueFd socket_;
  std::set<std::string> seen_;
};

/// An address and port as /proc/net/tcp and tcp6 write them; `bytes` in network order, 4 or 16 of them.
std::string ProcEndpoint(const void* bytes, std::size_t size, unsigned port);

}  // namespace finwait::firewall::eval
