#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "collectors/base/result.h"
#include "collectors/base/unique_fd.h"
#include "collectors/witness/table_walker.h"

namespace finwait::witness {

/// What the reader and the process that walks the conntrack table say to each other, through a pair of sockets. The
/// reader asks in words of eight bytes, as its filter of system calls lets it write no more
/// (privilege/allowed_calls.h); each question gets one record of one size.

/// The reader's end.
class WalkAsker {
 public:
  explicit WalkAsker(UniqueFd socket) : socket_(std::move(socket)) {}

  /// Has the table walked, and waits for it. Fails with the other's reason where that could not start, and once it has
  /// ended; kTimeout where it does not answer in time, and a late answer is dropped.
  Result<WalkResult> Walk(const LiveTimeouts& timeouts, Deadline deadline);
  /// Gives the socket a number from `least` on, where its owner's filter of system calls leaves it alone; it stays as
  /// it is where none can be had.
  void MoveAbove(int least);

 private:
  Result<WalkResult> Await(Deadline deadline);

  UniqueFd socket_;
  std::uint32_t questions_ = 0;
  std::optional<Error> why_not_;
};

/// The walker's end.
class WalkAnswerer {
 public:
  explicit WalkAnswerer(UniqueFd socket) : socket_(std::move(socket)) {}

  struct Question {
    std::uint32_t number = 0;
    LiveTimeouts timeouts = {};
    std::chrono::milliseconds patience{0};
  };
  enum class Heard { kQuestion, kNothing, kEnd };
  /// Waits for a question, up to `most`, or without end. Of several the last: nobody waits for the others any more.
  Heard Next(std::optional<std::chrono::milliseconds> most, Question& question);
  void Answer(const Question& question, const WalkResult& result);
  /// Why there will be no walk.
  void Refuse(const Error& why);
  int Descriptor() const { return socket_.Get(); }

 private:
  UniqueFd socket_;
  LiveTimeouts timeouts_ = {};
};

struct WalkChannel {
  WalkAnswerer answerer;
  WalkAsker asker;
};
Result<WalkChannel> MakeWalkChannel();

}  // namespace finwait::witness
