#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/base/unique_fd.h"
#include "collectors/witness/event.h"

namespace finwait::witness {

/// What the process that witnesses tells the one that reads: records of one size through a pipe, one way. It hears
/// nothing. A record that finds no room is counted, never waited for.

/// The first record: it witnesses, or why it cannot.
struct Start {
  static constexpr std::size_t kLongest = 400;
  FailureReason reason = FailureReason::kError;  ///< where `why_not` is not empty
  std::string why_not;
};

/// An event with its reason's name, as the witness alone knows the kernel's numbers.
struct TextedEvent {
  finwait_event event = {};
  std::string reason;
};

/// The end that writes; nothing blocks.
class FeedWriter {
 public:
  explicit FeedWriter(UniqueFd pipe) : pipe_(std::move(pipe)) {}
  void Put(const Start& start);
  void Put(const TextedEvent& event);
  /// All that was counted so far; `full` says how many events had found no room. True if there was room for it.
  bool Put(const finwait_counts& counts);
  /// Of the pipe, to wait for its other end.
  int Descriptor() const { return pipe_.Get(); }

 private:
  UniqueFd pipe_;
  std::uint64_t lost_ = 0;
};

/// The end that reads.
class FeedReader {
 public:
  explicit FeedReader(UniqueFd pipe) : pipe_(std::move(pipe)) {}

  struct News {
    std::optional<Start> start;
    std::vector<TextedEvent> events;
    std::optional<finwait_counts> counts;  ///< the newest
    std::size_t counted = 0;               ///< of `events`, those that are in `counts` for sure: they came before it
    std::uint64_t lost = 0;                ///< events for which the pipe had no room, since the start
    bool ended = false;                    ///< the witness is no more
  };
  /// All that is there; waits for nothing. An error where something else than records came.
  Result<News> Read();
  /// Gives the pipe another number, the one at which its owner's filter of system calls leaves it alone; it stays as it
  /// is where that number cannot be had.
  void MoveTo(int number);
  /// Waits until something is there, or the other end is closed.
  void Wait(Deadline deadline) const;

 private:
  UniqueFd pipe_;
  std::uint64_t lost_ = 0;
};

struct Feed {
  FeedWriter writer;
  FeedReader reader;
};
Result<Feed> MakeFeed();

}  // namespace finwait::witness
