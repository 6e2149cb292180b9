#include "exporter/diagnosis/idle_history.h"

#include <algorithm>

namespace finwait::diagnosis {
namespace {

std::int64_t HourOf(SteadyClock::time_point time) {
  return std::chrono::floor<std::chrono::hours>(time.time_since_epoch()).count();
}

std::uint32_t KeepaliveOf(const kernel::TcpSocket& socket) {
  const auto due = socket.KeepaliveDue();
  if (!due || !socket.idle) {
    return 0;
  }
  const auto after = std::chrono::ceil<std::chrono::seconds>(*socket.idle + *due).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(after, 1, UINT32_MAX));
}

}  // namespace

void SilenceSketch::Summary::Add(const Summary& other) {
  largest_seconds = std::max(largest_seconds, other.largest_seconds);
  largest_half_closed_seconds = std::max(largest_half_closed_seconds, other.largest_half_closed_seconds);
  for (std::size_t i = 0; i < kTimeoutLadder.size(); ++i) {
    longer[i] += other.longer[i];
  }
  for (const auto& [service, counts] : other.by_service) {
    LadderCounts& sum = by_service[service];
    for (std::size_t i = 0; i < kTimeoutLadder.size(); ++i) {
      sum[i] += counts[i];
    }
  }
}

void SilenceSketch::Add(const IdleService& service, bool half_closed, std::uint32_t seconds,
                        SteadyClock::time_point now) {
  const std::int64_t hour = HourOf(now);
  Slot& slot = slots_[static_cast<std::size_t>(hour) % slots_.size()];
  if (slot.hour != hour) {
    slot = {hour, {}};
  }
  Summary silence;
  (half_closed ? silence.largest_half_closed_seconds : silence.largest_seconds) = seconds;
  for (std::size_t i = 0; i < kTimeoutLadder.size(); ++i) {
    silence.longer[i] = !half_closed && seconds > kTimeoutLadder[i] ? 1 : 0;
  }
  auto& services = slot.silences.by_service;
  if (silence.longer.front() > 0 && (services.size() < kMostServices || services.contains(service))) {
    silence.by_service[service] = silence.longer;
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

void IdleHistory::Update(const kernel::SocketTable& sockets, std::span<const std::uint32_t> namespaces,
                         SteadyClock::time_point now) {
  try {
    Merge(sockets, namespaces, now);
  } catch (...) {
    connections_.clear();
    throw;
  }
  taken_at_ = now;
}

void IdleHistory::Merge(const kernel::SocketTable& sockets, std::span<const std::uint32_t> namespaces,
                        SteadyClock::time_point now) {
  const auto elapsed = static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(std::chrono::round<std::chrono::seconds>(now - taken_at_).count(), 0, 1 << 22));
  std::vector<Packed> added;
  for (std::size_t i = 0; i < sockets.Size(); ++i) {
    const kernel::TcpSocket socket = sockets[i];
    if (!socket.IsOpen() || !socket.idle) {
      continue;
    }
    const Packed* known = Find(socket.cookie);
    if (known != nullptr && known->listed != 0) {
      continue;  // a dump may list a socket twice
    }
    Packed packed = Learn(socket, namespaces.empty() ? 0 : namespaces[i], known, elapsed, now);
    // By what the kernel tells: what a keepalive of the peer's made of it is told here only.
    if (*socket.idle < std::chrono::seconds(kLeastSilence) && packed.keepalive_seconds == 0) {
      continue;
    }
    packed.listed = 1;
    if (known != nullptr) {
      connections_[static_cast<std::size_t>(known - connections_.data())] = packed;
    } else {
      added.push_back(packed);
    }
  }
  std::erase_if(connections_, [](const Packed& packed) { return packed.listed == 0; });
  connections_.insert(connections_.end(), added.begin(), added.end());
  for (Packed& packed : connections_) {
    packed.listed = 0;
  }
  std::ranges::sort(connections_, {}, &Packed::cookie);
  if (connections_.capacity() > 2 * connections_.size()) {
    connections_.shrink_to_fit();
  }
}

IdleHistory::Packed IdleHistory::Learn(const kernel::TcpSocket& socket, std::uint64_t network_namespace,
                                       const Packed* before, std::uint32_t elapsed, SteadyClock::time_point now) {
  // Both times are whole seconds, and the sample took a moment.
  constexpr std::uint32_t kSlack = 2;
  const auto told = static_cast<std::uint32_t>(std::chrono::floor<std::chrono::seconds>(*socket.idle).count());
  const bool half_closed = socket.state == kernel::TcpState::kCloseWait;
  Packed packed = {socket.cookie, told & 0x7fffff, socket.segments, 0, KeepaliveOf(socket) & 0x7fffffff, half_closed};
  if (before == nullptr) {
    return packed;
  }
  packed.keepalive_seconds = std::max<std::uint32_t>(packed.keepalive_seconds, before->keepalive_seconds) & 0x7fffffff;
  const std::uint32_t unbroken = before->seconds + elapsed;
  if (before->segments == packed.segments && told + kSlack >= unbroken) {
    // Nothing came or went: the silence goes on, perhaps from a keepalive of the peer's on.
    packed.seconds = std::min(told, unbroken) & 0x7fffff;
    return packed;
  }
  if (told + kSlack >= unbroken) {
    // Segments, and none that tcp_info dates: a keepalive of the peer's, at some time since.
    packed.seconds = 0;
  }
  if (before->seconds >= kLeastSilence) {
    sketch_.Add(IdleServiceOf(socket, network_namespace), before->half_closed != 0,
                unbroken - std::min<std::uint32_t>(packed.seconds, elapsed), now);
  }
  return packed;
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
    return Silence{static_cast<std::uint32_t>(std::chrono::floor<std::chrono::seconds>(*socket.idle).count()), {}};
  }
  return Silence{known->seconds,
                 known->keepalive_seconds != 0 ? std::optional(known->keepalive_seconds) : std::nullopt};
}

}  // namespace finwait::diagnosis
