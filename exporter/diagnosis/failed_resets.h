#pragma once

#include <cstdint>
#include <optional>

#include "exporter/diagnosis/new_sample.h"
#include "exporter/scheduling/snapshot.h"

namespace finwait::diagnosis {

/// Counts the resets that this host could not send (TcpExtTCPAbortFailed): a reset that is dropped leaves no socket, so
/// this counter alone tells of it. Not thread-safe.
class FailedResets {
 public:
  /// How many more there are than in the sample before; 0 for the first, as what was counted before this process
  /// started proves nothing. Nothing where `snapshot` holds no new sample of them.
  std::optional<std::uint64_t> NewIn(const scheduling::Snapshot& snapshot);

 private:
  NewSample sample_;
  std::optional<std::uint64_t> counted_;
};

}  // namespace finwait::diagnosis
