#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "exporter/diagnosis/diagnosis.h"
#include "exporter/incidents/record.h"

namespace finwait::incidents {

/// Tells lost resets apart that the witness named from those that were only counted. A reset is in both the kernel's
/// counter (TCPAbortFailed) and the witness's list, which are read at different times; here it is one. Not thread-safe.
class LostResets {
 public:
  /// For so long the witness may be behind the counter, or the counter behind the witness.
  static constexpr std::chrono::seconds kPatience{30};
  /// Another dropped reset of the same connection within that time after the last is no other loss.
  static constexpr std::chrono::minutes kRepeated{1};
  /// So many wait for their names at a time.
  static constexpr std::uint64_t kMostWaiting = 1024;

  struct News {
    std::vector<std::shared_ptr<const diagnosis::DroppedPacket>> named;  ///< one of each connection
    std::uint64_t unnamed = 0;  ///< counted, and not named within kPatience, or without a witness
  };
  /// What is new in a diagnosis that was made at `now`.
  News Take(const diagnosis::Diagnosis& diagnosis, Time now);

 private:
  using Ends = std::pair<Endpoint, Endpoint>;

  // Any stranger can provoke a reset, by a packet for which there is no socket: such are of no connection.
  bool IsNew(const diagnosis::DroppedPacket& reset, Time now);
  void Match();

  std::uint64_t counted_before_ = 0;
  std::deque<Time> counted_;          // when, of those that nobody has named yet
  std::deque<Time> named_;            // of those that are not counted yet
  std::map<Ends, Time> connections_;  // those named lately, and when last
};

}  // namespace finwait::incidents
