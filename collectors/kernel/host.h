#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "collectors/base/result.h"
#include "collectors/kernel/features.h"
#include "collectors/kernel/netlink/channel.h"
#include "collectors/kernel/netlink/event_source.h"

namespace finwait::kernel {

/// A network namespace, by the inode number of its file in nsfs (what `ls -L -i /proc/PID/ns/net` prints).
struct NamespaceId {
  std::uint64_t inode = 0;
  bool operator==(const NamespaceId&) const = default;
};

struct BpfInventory;

/// How collectors reach the kernel: the one seam between them and the machine. Bound to one network namespace; threads
/// that use it must be in that namespace.
struct Host {
  NamespaceId network_namespace;
  /// Where procfs is mounted; `--path.procfs`.
  std::filesystem::path procfs = "/proc";
  /// Opens a netlink channel of a protocol (NETLINK_NETFILTER, NETLINK_SOCK_DIAG, NETLINK_ROUTE). Cheap (one socket);
  /// collectors open one for each collection, so that no state outlives an error.
  std::function<Result<netlink::Channel>(int protocol)> open_channel;
  /// Tells whether asking a part of the kernel would make it load a module: see KernelFeatures.
  std::function<FeatureState(const KernelFeature&)> find_feature = [](const KernelFeature&) {
    return FeatureState::kUnknown;
  };
  /// Subscribes to what the kernel multicasts to this namespace. Kept open from sample to sample.
  std::function<Result<std::unique_ptr<netlink::EventSource>>(const netlink::Subscription&)> open_events;
  /// What could be listed of BPF while this process still had the rights to (bpf_inventory.h); null: nothing.
  std::shared_ptr<const BpfInventory> bpf = {};
};

/// Success when asking `feature` cannot make the kernel load a module; otherwise kUnsupported, with one sentence that
/// says what is not asked for (`what`, plural) and how to load it.
Result<void> RequireFeature(const Host& host, const KernelFeature& feature, std::string_view what);

/// The real machine, in the calling thread's network namespace. Fails when `procfs` is not a procfs.
Result<Host> OpenHost(const std::filesystem::path& procfs);

}  // namespace finwait::kernel
