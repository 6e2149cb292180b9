#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "collectors/base/result.h"
#include "exporter/diagnosis/stuck.h"

namespace finwait::diagnosis {

/// A stuck socket of one sample, and what was found of it.
struct StuckCandidate {
  const kernel::TcpSocket* socket = nullptr;
  StuckFinding finding;
};

/// Remembers closing sockets from sample to sample, by cookie, so that each stuck one is counted once, under its first
/// settled cause. A cause is settled when two samples in a row agree on it, or when the socket has gone. Bounded by
/// SocketsSample::kMaxClosing; not thread-safe.
class StuckHistory {
 public:
  /// By position in kStuckStates, then in kCauses.
  using Totals = std::array<std::array<std::uint64_t, std::size(kCauses)>, std::size(kStuckStates)>;

  /// Takes all closing sockets of one sample, of which `stuck` are stuck.
  void Update(std::span<const kernel::TcpSocket> closing, std::span<const StuckCandidate> stuck,
              SteadyClock::time_point now);

  /// The finding that was settled as this host's doing, while the socket has not tried again since: what the rules do
  /// now tells of its next try, not of the last, so a rule that was opened meanwhile leaves it as it is.
  std::optional<StuckFinding> FindingOfLastTry(const kernel::TcpSocket& socket) const;

  /// How long the socket has been closing: since it was first seen, or the least its tries must have taken, whichever
  /// is longer.
  SteadyClock::duration Age(const kernel::TcpSocket& socket, SteadyClock::time_point now) const;

  const Totals& Counted() const { return totals_; }

  /// A socket whose cause has settled.
  struct Settled {
    std::uint64_t cookie = 0;
    Cause cause = Cause::kNoReply;
  };
  /// The sockets that the last Update() counted.
  std::span<const Settled> LastCounted() const { return last_counted_; }

 private:
  struct Memory {
    SteadyClock::time_point first_seen;
    std::uint64_t sample = 0;  // the last sample that listed it
    kernel::TcpState state = kernel::TcpState::kFinWait1;
    StuckFinding finding;     // of that sample, where it was stuck
    std::uint32_t tries = 0;  // that `finding` is about
    bool counted = false;
  };
  void Count(std::uint64_t cookie, Memory& memory);

  std::unordered_map<std::uint64_t, Memory> sockets_;
  std::uint64_t samples_ = 0;
  Totals totals_ = {};
  std::vector<Settled> last_counted_;
};

}  // namespace finwait::diagnosis
