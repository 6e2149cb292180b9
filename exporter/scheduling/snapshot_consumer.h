#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "exporter/scheduling/snapshot.h"

namespace finwait::scheduling {

/// Gives the newest snapshot to one function, on a thread of its own, so that what takes time there (a question to the
/// kernel, a log that nobody reads) holds up no collector. A snapshot that comes while the function runs replaces the
/// one that waits: each tells everything, so none but the newest is worth the work. Collectors run at the same time,
/// so what comes is gathered for a moment.
class SnapshotConsumer {
 public:
  using Consume = std::function<void(std::shared_ptr<const Snapshot>)>;
  /// How long the thread waits for more once there is a snapshot.
  static constexpr std::chrono::milliseconds kGather{50};

  explicit SnapshotConsumer(Consume consume);
  /// As Stop with a deadline of 2 s.
  ~SnapshotConsumer();
  SnapshotConsumer(const SnapshotConsumer&) = delete;
  SnapshotConsumer& operator=(const SnapshotConsumer&) = delete;

  /// Hands over a snapshot. Never waits for the function. Thread-safe.
  void Put(std::shared_ptr<const Snapshot> snapshot);

  /// Consumes what was put so far before it returns, and what comes later on the thread. Call once.
  void Start();

  /// Ends the thread; what still waits is not consumed. False when the function did not return by the deadline: the
  /// thread is left behind, and the process should leave by std::_Exit. Idempotent.
  bool Stop(Deadline deadline);

 private:
  struct Shared;  // held by the thread too: one that is left behind must not touch freed memory
  static void Run(const std::stop_token& stop, const std::shared_ptr<Shared>& shared);

  std::shared_ptr<Shared> shared_;
  std::jthread thread_;
};

}  // namespace finwait::scheduling
