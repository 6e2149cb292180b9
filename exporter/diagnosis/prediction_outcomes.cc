#include "exporter/diagnosis/prediction_outcomes.h"

#include <algorithm>
#include <utility>

namespace finwait::diagnosis {
namespace {

// The cause that proves the fate; nothing for one that leaves no socket stuck at this host.
std::optional<Cause> CauseOf(Fate fate) {
  switch (fate) {
    case Fate::kFinDropped:
      return Cause::kLocalDrop;
    case Fate::kAckDropped:
    case Fate::kPeerDecides:  // it is stuck until the peer closes, too
      return Cause::kReplyDrop;
    case Fate::kNatLost:
      return Cause::kNatLost;
    case Fate::kClean:
    case Fate::kPeerFinDropped:
    case Fate::kUnknown:
      return std::nullopt;
  }
  return std::nullopt;
}

// A socket that gets stuck is so for longer, unless tcp_orphan_retries is very small.
constexpr auto kLongestPause = std::chrono::seconds(30);

// Whether the fate says that this end's close ends, by itself or when the peer closes.
bool MayEnd(Fate fate) { return fate == Fate::kClean || fate == Fate::kPeerFinDropped || fate == Fate::kPeerDecides; }

}  // namespace

std::string_view Name(PredictionOutcome outcome) {
  constexpr std::string_view kNames[] = {"as_foretold", "otherwise", "unseen"};
  return kNames[static_cast<std::size_t>(outcome)];
}

PredictionOutcome OutcomeOfStuck(Fate fate, Cause cause, bool changed) {
  if (fate == Fate::kUnknown) {
    return PredictionOutcome::kUnseen;
  }
  if (CauseOf(fate) == cause) {
    return PredictionOutcome::kAsPredicted;
  }
  // A closed window hides what would have become of the FIN; a link that is down or a peer that is gone, of the answer.
  const bool hidden = cause == Cause::kZeroWindow ||
                      ((cause == Cause::kLocalError || cause == Cause::kNoReply) && fate != Fate::kFinDropped);
  return changed || hidden ? PredictionOutcome::kUnseen : PredictionOutcome::kOtherwise;
}

PredictionOutcome OutcomeOfGone(Fate fate) {
  // A socket that was to be stuck and is gone may have sent data first, which brings the entry back, or was reset.
  return MayEnd(fate) ? PredictionOutcome::kAsPredicted : PredictionOutcome::kUnseen;
}

PredictionOutcomes::Open* PredictionOutcomes::FindOpen(std::uint64_t cookie) {
  const auto found =
      std::ranges::lower_bound(open_, cookie, {}, [](const Open& one) { return std::uint64_t{one.cookie}; });
  return found == open_.end() || found->cookie != cookie ? nullptr : &*found;
}

void PredictionOutcomes::Count(Fate fate, PredictionOutcome outcome) {
  ++totals_[static_cast<std::size_t>(fate)][static_cast<std::size_t>(outcome)];
}

void PredictionOutcomes::Predict(const sources::TrackingSample& sample, SteadyClock::time_point taken_at,
                                 const ConnectionHistories& histories, const CloseEvaluator& evaluator,
                                 const PerFamily<bool>& active) {
  std::vector<Open> added;
  for (std::size_t i = 0; i < sample.sockets.Size(); ++i) {
    const std::uint64_t cookie = sample.sockets.Cookie(i);
    const bool untracked = sample.sockets.TrackingOf(i) == kernel::Tracking::kUntracked;
    Open* known = FindOpen(cookie);
    if (known == nullptr && !untracked) {
      continue;  // most of the sockets of most hosts
    }
    const kernel::TcpSocket socket = sample.sockets[i];
    if (!socket.IsOpen()) {
      continue;
    }
    std::optional<Fate> fate;
    if (untracked && active[socket.local.address.Family()]) {
      const auto history = histories.Find(cookie);
      fate = evaluator.RememberedProvisionally(socket, history ? &*history : nullptr);
    }
    const std::uint64_t packed = fate ? static_cast<std::uint64_t>(*fate) : kNotPredicted;
    if (known != nullptr) {
      known->fate = packed & 0xf;
      known->listed = 1;
    } else if (fate) {
      added.push_back({cookie & kCookieMask, packed & 0xf, 1, 0});
    }
  }
  MoveGone(taken_at);
  open_.insert(open_.end(), added.begin(), added.end());
  for (Open& one : open_) {
    one.listed = 0;
  }
  const auto by_cookie = [](const Open& one) { return std::uint64_t{one.cookie}; };
  std::ranges::sort(open_, {}, by_cookie);
  // A dump may list a socket twice.
  const auto twice = std::unique(open_.begin(), open_.end(), [&](const Open& one, const Open& other) {
    return by_cookie(one) == by_cookie(other);
  });
  open_.erase(twice, open_.end());
  if (open_.capacity() > 2 * open_.size()) {
    open_.shrink_to_fit();
  }
  if (taken_at != predicted_at_) {
    std::rotate(failed_resets_.begin(), failed_resets_.end() - 1, failed_resets_.end());
    failed_resets_.front() = 0;
  }
  predicted_at_ = taken_at;
  rules_of_predictions_ = rules_;
}

void PredictionOutcomes::MoveGone(SteadyClock::time_point taken_at) {
  for (const Open& one : open_) {
    if (one.listed == 0 && one.closed == 0 && one.fate != kNotPredicted) {
      gone_.push_back({one.cookie, static_cast<Fate>(one.fate), false, rules_of_predictions_, predicted_at_, taken_at});
    }
  }
  std::ranges::sort(gone_, {}, &Gone::cookie);
  std::erase_if(open_,
                [](const Open& one) { return one.listed == 0 || (one.closed == 0 && one.fate == kNotPredicted); });
}

PredictionOutcomes::Closing* PredictionOutcomes::Follow(std::uint64_t cookie) {
  if (const auto found = closing_.find(cookie); found != closing_.end()) {
    return &found->second;
  }
  if (Open* open = FindOpen(cookie)) {
    if (open->closed != 0 || open->fate == kNotPredicted) {
      return nullptr;
    }
    open->closed = 1;
    return &(closing_[cookie] = {static_cast<Fate>(open->fate), rules_of_predictions_});
  }
  const auto gone = std::ranges::lower_bound(gone_, cookie, {}, &Gone::cookie);
  if (gone == gone_.end() || gone->cookie != cookie || std::exchange(gone->closed, true)) {
    return nullptr;
  }
  return &(closing_[cookie] = {gone->fate, gone->rules});
}

void PredictionOutcomes::ObserveClosing(const sources::SocketsSample& sample, std::span<const StuckCandidate> stuck,
                                        std::span<const StuckHistory::Settled> settled,
                                        SteadyClock::time_point taken_at) {
  const bool interrupted = taken_at - observed_until_ > kLongestPause || sample.closing_unlisted > 0;
  if (!observed_since_ || interrupted) {
    observed_since_ = taken_at;
  }
  observed_until_ = taken_at;
  for (const kernel::TcpSocket& socket : sample.closing) {
    if (Closing* closing = Follow(socket.cookie)) {
      closing->listed = true;
      closing->entry_back = closing->entry_back || socket.entry.tracking == kernel::Tracking::kTracked;
    }
  }
  for (const StuckCandidate& candidate : stuck) {
    if (const auto found = closing_.find(candidate.socket->cookie); found != closing_.end()) {
      found->second.stuck = true;
    }
  }
  for (const StuckHistory::Settled& one : settled) {
    if (const auto found = closing_.find(one.cookie); found != closing_.end()) {
      const Closing& closing = found->second;
      Count(closing.fate, OutcomeOfStuck(closing.fate, one.cause, closing.entry_back || closing.rules != rules_));
      closing_.erase(found);
    }
  }
  for (auto item = closing_.begin(); item != closing_.end();) {
    Closing& closing = item->second;
    if (std::exchange(closing.listed, false)) {
      ++item;
      continue;
    }
    Count(closing.fate, closing.stuck || interrupted ? PredictionOutcome::kUnseen : OutcomeOfGone(closing.fate));
    item = closing_.erase(item);
  }
}

void PredictionOutcomes::ObserveFailedResets(std::uint64_t count, SteadyClock::time_point taken_at) {
  failed_resets_.front() += count;
  resets_until_ = taken_at;
}

bool PredictionOutcomes::TakeFailedReset() {
  for (auto count = failed_resets_.rbegin(); count != failed_resets_.rend(); ++count) {
    if (*count > 0) {
      --*count;
      return true;
    }
  }
  return false;
}

void PredictionOutcomes::CountGone(bool resets_observed) {
  const SteadyClock::time_point observed = resets_observed ? std::min(observed_until_, resets_until_) : observed_until_;
  std::erase_if(gone_, [&](const Gone& gone) {
    if (gone.closed) {
      return true;
    }
    if (gone.by >= observed) {
      return false;
    }
    // A reset leaves no socket: only that as many could not be sent tells of it.
    if (gone.fate == Fate::kFinDropped && TakeFailedReset()) {
      Count(gone.fate, PredictionOutcome::kAsPredicted);
      return true;
    }
    const bool watched = observed_since_ && *observed_since_ <= gone.since + kLongestPause;
    Count(gone.fate, watched ? OutcomeOfGone(gone.fate) : PredictionOutcome::kUnseen);
    return true;
  });
}

}  // namespace finwait::diagnosis
