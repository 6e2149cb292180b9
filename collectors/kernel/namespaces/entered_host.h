#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "collectors/kernel/host.h"
#include "collectors/kernel/namespaces/opener.h"

namespace finwait::kernel::namespaces {

/// A namespace that is reached through the opener.
struct EnteredNamespace {
  std::uint64_t inode = 0;    ///< of its net/tcp
  std::uint32_t process = 0;  ///< one that lives in it
  bool operator==(const EnteredNamespace&) const = default;
};

/// The namespaces that are entered, by a number of this program's. Thread-safe.
class EnteredHosts {
 public:
  void Set(std::map<std::uint64_t, Host> hosts) {
    const std::lock_guard lock(mutex_);
    hosts_ = std::move(hosts);
  }
  std::optional<Host> Find(std::uint64_t id) const {
    const std::lock_guard lock(mutex_);
    const auto found = hosts_.find(id);
    return found == hosts_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::uint64_t, Host> hosts_;
};

/// The way into other network namespaces.
struct Entrance {
  std::shared_ptr<Opener> opener;
  /// A channel by a socket of NETLINK_NETFILTER or NETLINK_ROUTE that the opener has passed.
  std::function<Result<netlink::Channel>(int protocol, UniqueFd socket)> adopt;
  /// Those that the collector has entered, for who resolves facts of theirs.
  std::shared_ptr<EnteredHosts> hosts = std::make_shared<EnteredHosts>();
};

/// Reaches the kernel in another network namespace: netlink alone. Its `procfs` is a folder in which no file of a
/// namespace is, so that nothing is read there of this process's own one; what hangs on such files is unknown. Keeps
/// nothing open.
Host HostOf(const Host& own, const std::shared_ptr<const Entrance>& entrance, const EnteredNamespace& entered);

/// Whether this tells that the namespace, or the process by which it was entered, has gone meanwhile: nobody's fault.
bool HasGone(const Error& error);

/// net.netfilter.nf_conntrack_tcp_loose there; nothing where it cannot be read, as where it has no conntrack.
std::optional<bool> ReadTcpLoose(Opener& opener, const EnteredNamespace& entered);

}  // namespace finwait::kernel::namespaces
