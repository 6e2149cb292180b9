#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/sources/sockets.h"
#include "collectors/sources/tracking.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/close_outcome.h"
#include "exporter/diagnosis/connection_history.h"
#include "exporter/diagnosis/stuck_history.h"

namespace finwait::diagnosis {

/// What became of a predicted close: the label `outcome`.
enum class PredictionOutcome : std::uint8_t {
  kAsPredicted,  ///< "as_foretold"
  kOtherwise,    ///< something else was seen: the evaluation of the rules, or what it knew of them, was wrong
  kUnseen,       ///< what was seen agrees with the prediction and with another explanation, or nothing was predicted
};
inline constexpr PredictionOutcome kPredictionOutcomes[] = {PredictionOutcome::kAsPredicted,
                                                            PredictionOutcome::kOtherwise, PredictionOutcome::kUnseen};
std::string_view Name(PredictionOutcome outcome);

/// All fates, in the order of the label.
inline constexpr Fate kFates[] = {Fate::kClean,          Fate::kFinDropped,  Fate::kAckDropped, Fate::kNatLost,
                                  Fate::kPeerFinDropped, Fate::kPeerDecides, Fate::kUnknown};

/// The outcome of a close that got stuck for `cause`. `changed`: the entry came back or the rules changed between the
/// prediction and the close, so that another cause refutes nothing.
PredictionOutcome OutcomeOfStuck(Fate fate, Cause cause, bool changed);
/// The outcome of a close after which the socket was gone without having been stuck.
PredictionOutcome OutcomeOfGone(Fate fate);

/// Follows each live socket whose fate was predicted until it has closed, and holds what became of it against the last
/// prediction. Only sockets without an entry have one: a socket whose entry comes back is no longer followed until it
/// is without one again. In memory: 8 bytes for each such socket. Not thread-safe.
class PredictionOutcomes {
 public:
  /// By Fate, then by PredictionOutcome.
  using Totals = std::array<std::array<std::uint64_t, std::size(kPredictionOutcomes)>, std::size(kFates)>;

  /// The rules, or what else a fate hangs on, are no longer those of the predictions so far.
  void RulesChanged() { ++rules_; }

  /// Takes the fates of the sockets of `sample`, complete at `taken_at`, as `evaluator` remembers them. The sockets
  /// that it no longer lists have closed. `active`: whether conntrack is active. A sample may come again
  /// once it has been evaluated again.
  void Predict(const sources::TrackingSample& sample, SteadyClock::time_point taken_at,
               const ConnectionHistories& histories, const CloseEvaluator& evaluator, const PerFamily<bool>& active);

  /// Takes the closing sockets of a sample, complete at `taken_at`, of which `stuck` are stuck, and the causes that are
  /// settled since the sample before.
  void ObserveClosing(const sources::SocketsSample& sample, std::span<const StuckCandidate> stuck,
                      std::span<const StuckHistory::Settled> settled, SteadyClock::time_point taken_at);

  /// TCPAbortFailed as of `taken_at`, by how much it rose: resets that this host dropped itself.
  void ObserveFailedResets(std::uint64_t count, SteadyClock::time_point taken_at);

  /// Counts the sockets that were gone by a time that every observation of closes has passed. `resets_observed`:
  /// ObserveFailedResets() is going to be called for later times too. Call once all samples of a snapshot are taken in.
  void CountGone(bool resets_observed);

  const Totals& Counted() const { return totals_; }
  /// How many sockets have a prediction that is not counted yet.
  std::size_t Followed() const { return open_.size() + gone_.size() + closing_.size(); }

 private:
  // A live socket in 8 bytes: a busy host has 100,000. Cookies are counted up from 1 by the kernel (sock_gen_cookie).
  struct Open {
    std::uint64_t cookie : 57;
    std::uint64_t fate : 4;    // kNotPredicted where there is none
    std::uint64_t listed : 1;  // while a sample is taken: it lists the socket
    std::uint64_t closed : 1;  // it was seen closing, and is followed or counted: a sample from before lists it open
  };
  static_assert(sizeof(Open) == 8);
  static constexpr std::uint64_t kNotPredicted = 15;
  static constexpr std::uint64_t kCookieMask = (std::uint64_t{1} << 57) - 1;

  // One that was seen closing.
  struct Closing {
    Fate fate = Fate::kUnknown;
    std::uint64_t rules = 0;  // of the prediction
    bool entry_back = false;
    bool stuck = false;
    bool listed = false;
  };
  // One that a sample no longer listed, and no other has shown closing.
  struct Gone {
    std::uint64_t cookie = 0;
    Fate fate = Fate::kUnknown;
    bool closed = false;  // it has been seen closing since
    std::uint64_t rules = 0;
    SteadyClock::time_point since;  // it was still open
    SteadyClock::time_point by;
  };

  Open* FindOpen(std::uint64_t cookie);
  /// Whether the socket has a prediction that is not followed yet; then it is, as one that closes.
  Closing* Follow(std::uint64_t cookie);
  void MoveGone(SteadyClock::time_point taken_at);
  /// Takes one of the failed resets, the oldest first; false where none is left.
  bool TakeFailedReset();
  void Count(Fate fate, PredictionOutcome outcome);

  std::vector<Open> open_;  // by cookie, ascending
  std::vector<Gone> gone_;  // the same
  std::unordered_map<std::uint64_t, Closing> closing_;
  Totals totals_ = {};
  std::uint64_t rules_ = 0;
  std::uint64_t rules_of_predictions_ = 0;  // in open_
  SteadyClock::time_point predicted_at_;    // the sample of open_
  // Since when closing sockets have been sampled without a long pause.
  std::optional<SteadyClock::time_point> observed_since_;
  SteadyClock::time_point observed_until_;
  SteadyClock::time_point resets_until_;
  // That no socket is known to have tried yet, by how many samples of live sockets there have been since. Older ones
  // were of sockets that nobody predicted.
  std::array<std::uint64_t, 3> failed_resets_ = {};
};

}  // namespace finwait::diagnosis
