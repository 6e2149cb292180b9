#include "exporter/diagnosis/idle_history.h"

#include <algorithm>

#include "exporter/diagnosis/listed_memory.h"

namespace finwait::diagnosis {
namespace {

std::int64_t WholeSeconds(SteadyClock::time_point time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::int64_t HourOf(SteadyClock::time_point time) {
  return std::chrono::floor<std::chrono::hours>(time.time_since_epoch()).count();
}

// In whole seconds; the socket has an idle time.
std::uint32_t ToldBy(const kernel::TcpSocket& socket) {
  return static_cast<std::uint32_t>(std::chrono::floor<std::chrono::seconds>(*socket.idle).count());
}

// At most `most`; 0: off.
std::uint32_t KeepaliveOf(const kernel::TcpSocket& socket, std::uint32_t most) {
  const auto due = socket.KeepaliveDue();
  if (!due || !socket.idle) {
    return 0;
  }
  const auto after = std::chrono::ceil<std::chrono::seconds>(*socket.idle + *due).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(after, 1, most));
}

}  // namespace

void SpokeAgain::Add(const SpokeAgain& other) {
  for (std::size_t i = 0; i < longer.size(); ++i) {
    longer[i] += other.longer[i];
  }
  than_local += other.than_local;
  than_own += other.than_own;
  for (std::size_t i = 0; i < than_path.size(); ++i) {
    than_path[i] += other.than_path[i];
  }
  in_force += other.in_force;
}

void SilenceSketch::Summary::Add(const Summary& other) {
  largest_seconds = std::max(largest_seconds, other.largest_seconds);
  largest_local_seconds = std::max(largest_local_seconds, other.largest_local_seconds);
  for (std::size_t i = 0; i < largest_path_seconds.size(); ++i) {
    largest_path_seconds[i] = std::max(largest_path_seconds[i], other.largest_path_seconds[i]);
  }
  largest_half_closed_seconds = std::max(largest_half_closed_seconds, other.largest_half_closed_seconds);
  spoke_again.Add(other.spoke_again);
  for (const auto& [service, counts] : other.by_service) {
    by_service[service].Add(counts);
  }
}

void SilenceSketch::Add(const IdleService& service, bool half_closed, std::uint32_t seconds,
                        const TimeoutInForce& timeout, std::span<const PathTimeout> paths,
                        SteadyClock::time_point now) {
  const std::int64_t hour = HourOf(now);
  Slot& slot = slots_[static_cast<std::size_t>(hour) % slots_.size()];
  if (slot.hour != hour) {
    slot = {hour, {}};
  }
  Summary silence;
  (half_closed ? silence.largest_half_closed_seconds : silence.largest_seconds) = seconds;
  if (!half_closed) {
    SpokeAgain& spoke = silence.spoke_again;
    for (std::size_t i = 0; i < kTimeoutLadder.size(); ++i) {
      spoke.longer[i] = seconds > kTimeoutLadder[i] ? 1 : 0;
    }
    if (timeout.local) {
      (timeout.is_own ? spoke.than_own : spoke.than_local) = seconds > *timeout.local ? 1 : 0;
      silence.largest_local_seconds = timeout.is_own ? 0 : seconds;
    }
    if (timeout.path && *timeout.path < kMostPaths) {
      spoke.than_path[*timeout.path] = std::chrono::seconds(seconds) > paths[*timeout.path].timeout ? 1 : 0;
      silence.largest_path_seconds[*timeout.path] = seconds;
    }
    spoke.in_force = timeout.shortest && seconds > *timeout.shortest ? 1 : 0;
    auto& services = slot.silences.by_service;
    if (spoke.Any() && (services.size() < kMostServices || services.contains(service))) {
      silence.by_service[service] = spoke;
    }
  }
  slot.silences.Add(silence);
}

SilenceSketch::Summary SilenceSketch::Last24Hours(SteadyClock::time_point now) const {
  Summary summary;
  for (const Slot& slot : slots_) {
    if (slot.hour >= 0 && slot.hour + static_cast<std::int64_t>(slots_.size()) > HourOf(now)) {
      summary.Add(slot.silences);
    }
  }
  return summary;
}

void IdleHistory::Update(const kernel::SocketTable& sockets, std::span<const std::uint32_t> namespaces, Source source,
                         const IdleContext& context, SteadyClock::time_point now) {
  EntryEvidence entries(sockets, context);
  // Between whole seconds of the clock: what rounding takes from one sample it gives to the next.
  const std::int64_t elapsed = WholeSeconds(now) - WholeSeconds(taken_at_);
  const Terms terms = {source == Source::kTcpInfo ? &entries : nullptr, context,
                       std::clamp(ShortestTimeout(context).value_or(kLeastSilence) / 2, 1U, kLeastSilence),
                       static_cast<std::uint32_t>(std::clamp<std::int64_t>(elapsed, 0, kMostSeconds)), now};
  try {
    Merge(sockets, namespaces, terms);
  } catch (...) {
    connections_.clear();
    throw;
  }
  taken_at_ = now;
  first_taken_at_ = first_taken_at_.value_or(now);
}

void IdleHistory::Merge(const kernel::SocketTable& sockets, std::span<const std::uint32_t> namespaces,
                        const Terms& terms) {
  std::vector<Packed> added;
  for (std::size_t i = 0; i < sockets.Size() && !openers_are_told_; ++i) {
    openers_are_told_ = sockets[i].opened_here.has_value();
  }
  for (std::size_t i = 0; i < sockets.Size(); ++i) {
    const kernel::TcpSocket socket = sockets[i];
    if (!socket.IsOpen() || !socket.idle) {
      continue;
    }
    const Packed* known = Find(socket.cookie);
    if (known != nullptr && known->listed != 0) {
      continue;  // a dump may list a socket twice
    }
    Packed packed = Learn(socket, namespaces.empty() ? 0 : namespaces[i], known, terms);
    // By what the kernel tells: what a keepalive of the peer's made of it is told here only.
    if (*socket.idle < std::chrono::seconds(terms.least_seconds) && packed.keepalive_seconds == 0 &&
        packed.is_unsure == 0) {
      continue;
    }
    packed.listed = 1;
    if (known != nullptr) {
      connections_[static_cast<std::size_t>(known - connections_.data())] = packed;
    } else {
      added.push_back(packed);
    }
  }
  RetainListed(connections_, added);
}

IdleHistory::Packed IdleHistory::Learn(const kernel::TcpSocket& socket, std::uint64_t network_namespace,
                                       const Packed* before, const Terms& terms) {
  // Both times are whole seconds, and the sample took a moment.
  constexpr std::uint32_t kSlack = 2;
  const std::uint32_t told = ToldBy(socket);
  const EntryEvidence::SilenceBound silence =
      terms.entries != nullptr ? terms.entries->Of(socket, told, before != nullptr && before->is_longer != 0)
                               : EntryEvidence::SilenceBound{told, true, false};
  Packed packed = {};
  packed.cookie = socket.cookie;
  packed.seconds = (silence.is_sure ? silence.seconds : 0) & kMostSeconds;
  packed.segments = socket.segments;
  packed.half_closed = socket.state == kernel::TcpState::kCloseWait;
  packed.keepalive_seconds = KeepaliveOf(socket, kMostSeconds) & kMostSeconds;
  packed.is_unsure = !silence.is_sure;
  packed.is_longer = silence.is_longer;
  // Entries date no retry: they tell no silence while something is unacknowledged.
  packed.unacknowledged = terms.entries != nullptr && openers_are_told_ && !socket.opened_here;
  if (before == nullptr) {
    return packed;
  }
  packed.keepalive_seconds =
      std::max<std::uint32_t>(packed.keepalive_seconds, before->keepalive_seconds) & kMostSeconds;
  const std::uint32_t unbroken = before->seconds + terms.elapsed;
  // A probe of its own that was due by now, and no answer: that would have been dated.
  const bool is_unanswered =
      socket.KeepaliveDue() && before->keepalive_seconds != 0 && told + kSlack >= before->keepalive_seconds;
  if ((before->segments == packed.segments || is_unanswered) && told + kSlack >= unbroken) {
    // Nothing came or went: the silence goes on, perhaps from a keepalive of the peer's on.
    if (before->is_unsure == 0 || packed.is_unsure != 0) {
      packed.seconds = std::min(told, unbroken) & kMostSeconds;
      packed.is_unsure = before->is_unsure;
    }
    return packed;
  }
  // A packet since the last sample. Where tcp_info does not date it, it was a keepalive of the peer's: the entry dates
  // it, or else this sample does.
  const bool is_dated = told + kSlack < unbroken;
  packed.seconds = std::min(silence.is_sure ? silence.seconds
                            : is_dated      ? told
                                            : 0,
                            is_dated ? told : terms.elapsed) &
                   kMostSeconds;
  packed.is_unsure = 0;
  const std::uint32_t ended = unbroken - std::min<std::uint32_t>(packed.seconds, terms.elapsed);
  // What was sent before is sent again, and nobody has answered: that is no sign of life.
  const bool is_retry = before->unacknowledged != 0 && packed.unacknowledged != 0;
  if (ended >= terms.least_seconds && !is_retry) {
    sketch_.Add(IdleServiceOf(socket, network_namespace), before->half_closed != 0, ended,
                TimeoutInForceOf(socket, packed.seconds, terms.context), terms.context.paths, terms.now);
  }
  return packed;
}

std::chrono::seconds IdleHistory::Watched() const {
  return first_taken_at_ ? std::chrono::floor<std::chrono::seconds>(taken_at_ - *first_taken_at_)
                         : std::chrono::seconds(0);
}

const IdleHistory::Packed* IdleHistory::Find(std::uint64_t cookie) const {
  const auto found = std::ranges::lower_bound(connections_, cookie, {}, &Packed::cookie);
  return found == connections_.end() || found->cookie != cookie ? nullptr : &*found;
}

std::optional<Silence> IdleHistory::Of(const kernel::TcpSocket& socket) const {
  if (!socket.idle) {
    return std::nullopt;
  }
  const Packed* known = Find(socket.cookie);
  if (known == nullptr) {
    return Silence{ToldBy(socket), {}};
  }
  return Silence{known->is_unsure != 0 ? ToldBy(socket) : known->seconds,
                 known->keepalive_seconds != 0 ? std::optional(known->keepalive_seconds) : std::nullopt};
}

}  // namespace finwait::diagnosis
