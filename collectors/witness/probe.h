#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "collectors/base/result.h"
#include "collectors/witness/feed.h"

namespace finwait::witness {

/// The BPF program (witness.bpf.c) at the kernel's tracepoint skb:kfree_skb, for the packets of one network namespace.
/// Needs CAP_BPF and CAP_PERFMON to be made, and nothing afterwards. Not thread-safe.
class Probe {
 public:
  /// Events beyond this many a second are counted and not told.
  static constexpr std::uint32_t kMostEventsASecond = 1000;

  /// `network_namespace`: the inode of its file. kUnsupported where this build has no BPF, or the kernel no BTF or no
  /// such tracepoint (Linux 5.17).
  static Result<std::unique_ptr<Probe>> Attach(std::uint64_t network_namespace);

  virtual ~Probe() = default;

  /// Waits for events, up to `most`, and tells of all that are there.
  virtual void Wait(std::chrono::milliseconds most, const std::function<void(const TextedEvent&)>& tell) = 0;
  /// All since it was attached.
  virtual finwait_counts Counts() const = 0;
};

}  // namespace finwait::witness
