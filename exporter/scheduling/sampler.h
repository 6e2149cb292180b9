#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "collectors/base/pacer.h"
#include "exporter/scheduling/snapshot.h"

namespace finwait::scheduling {

/// A collector and its row in the registry.
struct EnabledCollector {
  const sources::CollectorInfo* info = nullptr;
  std::unique_ptr<sources::Collector> collector;
};

/// Runs every collector in the background, each on a thread of its own, so that one that hangs holds up no other. After
/// each collection it publishes a new snapshot. A collection that has not ended by its deadline is published as a
/// failure with reason timeout while it goes on; when it ends after all, its result counts again.
class Sampler {
 public:
  /// Receives each new snapshot, one at a time, on the thread that took the sample. Must not call back into the
  /// sampler, and returns at once: all collectors wait for it.
  using Publish = std::function<void(std::shared_ptr<const Snapshot>)>;

  /// Publishes a first snapshot at once, in which no collector has run yet.
  Sampler(kernel::NamespaceId network_namespace, std::vector<EnabledCollector> collectors,
          const sources::CollectorSettings& settings, Publish publish);
  /// As Stop with a deadline of 2 s.
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  /// Starts the threads; the first collections begin at once. Call once.
  void Start();

  /// Ends the threads. False when a collection did not end by the deadline: its thread is left behind, and the process
  /// should leave by std::_Exit. Idempotent.
  bool Stop(Deadline deadline);

  /// The longest that one collection may take at an interval.
  static SteadyClock::duration CollectTimeout(SteadyClock::duration interval);

 private:
  // Everything the threads share. They hold it by shared_ptr: a thread that is left behind must not touch freed memory.
  struct Shared;
  struct Worker;
  static void RunCollector(const std::stop_token& stop, const std::shared_ptr<Shared>& shared, std::size_t index);
  static void WatchDeadlines(const std::stop_token& stop, const std::shared_ptr<Shared>& shared);

  std::shared_ptr<Shared> shared_;
  std::vector<std::jthread> threads_;
};

/// One collection by each collector in turn, without threads: what `check` does.
std::shared_ptr<const Snapshot> CollectOnce(kernel::NamespaceId network_namespace,
                                            std::vector<EnabledCollector> collectors, SteadyClock::duration limit);

}  // namespace finwait::scheduling
