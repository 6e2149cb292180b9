#include "exporter/diagnosis/entry_evidence.h"

#include <algorithm>

#include "exporter/diagnosis/entry_timeout.h"
#include "exporter/diagnosis/idle_service.h"

namespace finwait::diagnosis {
namespace {

// What the sysctl gives the entry of an open socket; nothing without an entry in such a state.
std::optional<std::chrono::seconds> SettingOf(const kernel::TcpSocket& socket, const sources::SysctlSample* sysctl) {
  const auto state = socket.entry.state;
  if (sysctl == nullptr || socket.entry.tracking != kernel::Tracking::kTracked ||
      (state != kernel::ConntrackTcpState::kEstablished && state != kernel::ConntrackTcpState::kCloseWait)) {
    return std::nullopt;
  }
  return TimeoutOf(*state, *sysctl);
}

bool IsLonger(const kernel::TcpSocket& socket, const sources::SysctlSample* sysctl) {
  const auto setting = SettingOf(socket, sysctl);
  return setting && std::chrono::seconds(socket.entry.remaining_seconds) > *setting;
}

}  // namespace

bool EntryEvidence::ServiceHasLonger(const kernel::TcpSocket& socket) {
  const auto service_of = [](const kernel::TcpSocket& one) {
    const IdleService service = IdleServiceOf(one, 0);
    return Service(service.port, service.at_peer);
  };
  if (!longer_) {
    longer_.emplace();
    for (const kernel::TcpSocket& one : sockets_) {
      if (one.IsOpen() && IsLonger(one, context_.sysctl)) {
        longer_->insert(service_of(one));
      }
    }
  }
  return longer_->contains(service_of(socket));
}

EntryEvidence::SilenceBound EntryEvidence::Of(const kernel::TcpSocket& socket, std::uint32_t told, bool was_longer) {
  if (socket.entry.tracking == kernel::Tracking::kUntracked) {
    // A keepalive of the peer's would have made a new entry.
    return {told,
            context_.sysctl != nullptr && context_.sysctl->conntrack_tcp_loose.value_or(0) != 0 &&
                context_.conntrack_active[socket.local.address.Family()],
            false};
  }
  if (was_longer || IsLonger(socket, context_.sysctl)) {
    return {told, false, true};
  }
  if (socket.KeepaliveDue()) {
    // An answer to its own keepalive is dated by tcp_info, and a probe that nobody answers refreshes the entry, too.
    return {told, false, false};
  }
  const auto setting = SettingOf(socket, context_.sysctl);
  const std::chrono::seconds remaining(socket.entry.remaining_seconds);
  if (!setting ||
      !EntryTimeout(socket.entry.remaining_seconds, remaining + std::chrono::seconds(told)).MayBe(*setting)) {
    return {told, false, false};  // given less than the sysctl: by a policy, or while data was unacknowledged
  }
  constexpr std::uint32_t kSlack = 2;  // both are whole seconds, and the entry was read after the socket
  const auto by_entry = static_cast<std::uint32_t>((*setting - remaining).count());
  if (by_entry + kSlack < told && ServiceHasLonger(socket)) {
    return {told, false, false};
  }
  return {std::min(told, by_entry), true, false};
}

}  // namespace finwait::diagnosis
