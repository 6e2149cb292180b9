#include "exporter/planning/host_facts.h"

namespace finwait::planning {

std::optional<diagnosis::ConnectionHistory> ReportedSocket::History() const {
  const kernel::SocketEntry& entry = socket.entry;
  diagnosis::ConnectionHistory history;
  if (entry.tracking == kernel::Tracking::kTracked) {
    history.entry_state = entry.state.value_or(kernel::ConntrackTcpState::kEstablished);
    history.source_nat = entry.source_nat;
    history.destination_nat = entry.destination_nat;
    history.translation = entry.translation;
    return history;
  }
  if (translated) {
    history.entry_state = kernel::ConntrackTcpState::kEstablished;  // it had one, when it was translated or not
    history.source_nat = translated->first;
    history.destination_nat = translated->second;
    return history;
  }
  return std::nullopt;
}

diagnosis::ConnectionSpace HostFacts::Space(IpFamily family) const {
  return routing_known[family] ? diagnosis::SpaceOf(routing[family], family) : diagnosis::ConnectionSpace();
}

}  // namespace finwait::planning
