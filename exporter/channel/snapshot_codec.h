#pragma once

#include <memory>
#include <vector>

#include "collectors/codec/codec.h"
#include "exporter/scheduling/snapshot.h"

namespace finwait::channel {

/// Writes snapshots one after the other; a sample that the one before had is not written again. Not thread-safe.
class SnapshotEncoder {
 public:
  void Put(const scheduling::Snapshot& snapshot, codec::Encoder& encoder);

 private:
  std::vector<std::shared_ptr<const sources::SampleData>> sent_;  // held, so that a new one has an address of its own
};

/// Reads what a SnapshotEncoder wrote, in that order. Not thread-safe.
class SnapshotDecoder {
 public:
  /// Null where the bytes are no snapshot: other collectors than before, a count of failures that falls, too many
  /// errors. What follows cannot be read either then.
  std::shared_ptr<const scheduling::Snapshot> Take(codec::Decoder& decoder);

  /// The last snapshot without its data, and `why` in its place, for while there is no other. Each collector counts one
  /// failure for it, however often this is asked until the next Take(); there must have been one.
  std::shared_ptr<const scheduling::Snapshot> Unavailable(const Error& why);

 private:
  using Failures = decltype(scheduling::CollectorStatus::failures);

  scheduling::Snapshot last_;
  std::vector<Failures> unavailable_;  // counted here, by collector: the other side knows nothing of them
  bool counted_ = false;
};

}  // namespace finwait::channel
