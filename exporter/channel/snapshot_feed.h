#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "exporter/channel/reader_client.h"

namespace finwait::channel {

/// Asks the reader for one snapshot after the other and gives each to one function, on a thread of its own. Where the
/// reader does not answer, the function gets the last snapshot without its data: what is not known is absent.
class SnapshotFeed {
 public:
  /// `fresh`: whether the reader made it just now.
  using Consume = std::function<void(std::shared_ptr<const scheduling::Snapshot> snapshot, bool fresh)>;

  /// How long the reader may take for an answer before its data goes absent.
  static constexpr std::chrono::seconds kPatience{10};

  /// `client` must outlive this, and is used by nobody else but within `consume`.
  SnapshotFeed(ReaderClient& client, Consume consume);
  /// As Stop with a deadline of 2 s.
  ~SnapshotFeed();
  SnapshotFeed(const SnapshotFeed&) = delete;
  SnapshotFeed& operator=(const SnapshotFeed&) = delete;

  /// Consumes the first snapshot. An error where there is none. Call once.
  Result<void> TakeFirst();
  /// Consumes the others, on the thread. Call once, after TakeFirst().
  void Start();

  /// Ends the channel and the thread. False when the function did not return by the deadline: the thread is left
  /// behind, and the process should leave by std::_Exit. Idempotent.
  bool Stop(Deadline deadline);

 private:
  struct Shared;  // held by the thread too: one that is left behind must not touch freed memory
  static void Run(const std::stop_token& stop, const std::shared_ptr<Shared>& shared);

  ReaderClient& client_;
  std::shared_ptr<Shared> shared_;
  std::jthread thread_;
};

}  // namespace finwait::channel
