#include "exporter/diagnosis/observed_silence.h"

#include <algorithm>

#include "collectors/sources/entry_timeout.h"

namespace finwait::diagnosis {

std::optional<std::chrono::seconds> SilenceByEntry(const kernel::TcpSocket& socket,
                                                   std::optional<std::chrono::seconds> at_most,
                                                   const sources::SysctlSample& sysctl, bool flowtables) {
  using std::chrono::seconds;
  constexpr seconds kDay = std::chrono::hours(24);  // NF_CT_DAY
  const auto state = socket.entry.state;
  if (socket.entry.tracking != kernel::Tracking::kTracked ||
      (state != kernel::ConntrackTcpState::kEstablished && state != kernel::ConntrackTcpState::kCloseWait)) {
    return std::nullopt;
  }
  const seconds remaining(socket.entry.remaining_seconds);
  const auto setting = sources::TimeoutOf(*state, sysctl);
  const auto given = sources::EntryTimeout(socket.entry.remaining_seconds, at_most).Length(setting);
  if (!given || *given < remaining) {
    return std::nullopt;  // a policy's, or another setting's
  }
  if (flowtables && *given > kDay && remaining <= kDay) {
    return std::nullopt;  // it may have come out of one a moment ago
  }
  if (!socket.KeepaliveDue()) {
    // While data is unacknowledged, a shorter timeout is in force, and the entry looks like an old one. The timer tells
    // that none is, where it waits for a keepalive.
    for (const auto which :
         {sources::ConntrackTcpTimeout::kMaxRetrans, sources::ConntrackTcpTimeout::kUnacknowledged}) {
      const auto other = sysctl.Timeout(which);
      if (other && *other < *given && remaining <= *other) {
        return std::nullopt;
      }
    }
  }
  return std::max(*given - remaining - seconds(1), seconds(0));  // what remains is rounded down
}

}  // namespace finwait::diagnosis
