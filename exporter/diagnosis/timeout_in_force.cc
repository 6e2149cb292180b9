#include "exporter/diagnosis/timeout_in_force.h"

#include <algorithm>

#include "exporter/diagnosis/entry_timeout.h"

namespace finwait::diagnosis {
namespace {

std::uint32_t Count(std::chrono::seconds time) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(time.count(), 0, UINT32_MAX));
}

std::optional<std::uint32_t> Shorter(std::optional<std::uint32_t> one, std::optional<std::chrono::seconds> other) {
  return !other ? one : std::min(one.value_or(UINT32_MAX), Count(*other));
}

}  // namespace

TimeoutInForce TimeoutInForceOf(const kernel::TcpSocket& socket, std::uint32_t silence_seconds,
                                const IdleContext& context) {
  TimeoutInForce timeout;
  const bool half_closed = socket.state == kernel::TcpState::kCloseWait;
  const auto of_state =
      half_closed ? sources::ConntrackTcpTimeout::kCloseWait : sources::ConntrackTcpTimeout::kEstablished;
  if (socket.entry.tracking == kernel::Tracking::kTracked && socket.entry.state) {
    const std::chrono::seconds at_most(std::uint64_t{socket.entry.remaining_seconds} + silence_seconds);
    const EntryTimeout entry(socket.entry.remaining_seconds, at_most);
    const auto setting = context.sysctl != nullptr ? TimeoutOf(*socket.entry.state, *context.sysctl) : std::nullopt;
    timeout.local = Shorter({}, entry.Length(setting));
    timeout.is_own = context.sysctl != nullptr && entry.IsOwn(*socket.entry.state, *context.sysctl);
  } else if (context.sysctl != nullptr && context.conntrack_active[socket.local.address.Family()]) {
    timeout.local = Shorter({}, context.sysctl->Timeout(of_state));
  }
  timeout.shortest = timeout.local;
  timeout.path = PathTo(socket.peer.address, context.paths);
  if (timeout.path) {
    timeout.shortest = Shorter(timeout.shortest, context.paths[*timeout.path].timeout);
  }
  return timeout;
}

std::optional<std::uint32_t> ShortestTimeout(const IdleContext& context) {
  std::optional<std::uint32_t> shortest;
  if (context.sysctl != nullptr && (context.conntrack_active[0] || context.conntrack_active[1])) {
    shortest = Shorter(shortest, context.sysctl->Timeout(sources::ConntrackTcpTimeout::kEstablished));
  }
  for (const PathTimeout& path : context.paths) {
    shortest = Shorter(shortest, path.timeout);
  }
  return shortest;
}

}  // namespace finwait::diagnosis
