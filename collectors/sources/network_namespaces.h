#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "collectors/kernel/host.h"
#include "collectors/sources/collector.h"
#include "collectors/sources/collector_info.h"
#include "collectors/sources/cpu_shares.h"

namespace finwait::sources {

/// The network namespaces that processes live in, other than our own: whose sockets the other collectors do not read.
/// From the links /proc/PID/ns/net.
struct NetworkNamespacesSample : SampleData {
  static constexpr std::string_view kCollector = "network_namespaces";
  static constexpr std::size_t kFields = 4;  ///< below, for codec/fields.h
  /// More namespaces than this are counted as this many.
  static constexpr std::size_t kMostNamespaces = 65536;

  std::uint64_t unseen = 0;               ///< namespaces with at least one process whose link could be read
  std::uint64_t processes_elsewhere = 0;  ///< the processes in them
  std::uint64_t unreadable = 0;           ///< processes whose link may not be read
  /// All processes of the machine were read. Not so past the deadline, in a PID namespace of our own, or where
  /// procfs hides other users' processes (hidepid, ProtectProc=).
  bool complete = true;
};

/// Walks /proc. A namespace that no process lives in, such as one held by a mount alone, is not found. Reading another
/// user's link takes CAP_SYS_PTRACE; without, those processes are counted as unreadable.
class NetworkNamespacesCollector : public Collector {
 public:
  static constexpr CollectorInfo kInfo = {
      .name = NetworkNamespacesSample::kCollector,
      .summary = "how many other network namespaces have processes, whose sockets are not read",
      .reads = "`/proc/PID/ns/net`",
      .capability = Capability::kSysPtrace,
      .part = "other users' processes",
      .budget_share = kNamespacesShare,
  };

  explicit NetworkNamespacesCollector(kernel::Host host) : host_(std::move(host)) {}
  Result<Collected> Collect(Deadline deadline) override;

 private:
  kernel::Host host_;
};

}  // namespace finwait::sources
