#include "exporter/diagnosis/close_outcome.h"

#include "exporter/diagnosis/drop_site.h"

namespace finwait::diagnosis {

using firewall::eval::PacketKind;

std::string_view Name(Fate fate) {
  constexpr std::string_view kNames[] = {"clean",        "fin_dropped", "ack_dropped", "nat_lost", "peer_fin_dropped",
                                         "peer_decides", "unknown"};
  return kNames[static_cast<std::size_t>(fate)];
}

std::optional<DecisiveDrop> DecisiveDropOf(const CloseOutcome& outcome) {
  switch (outcome.fate) {
    case Fate::kFinDropped:
      return DecisiveDrop{PacketKind::kFin, &outcome.fin};
    case Fate::kAckDropped:
      // A peer that a reject has reset answers every further try of the FIN with a RST.
      return DecisiveDrop{PacketKind::kAck,
                          IsLost(outcome.peer_reset.disposition) ? &outcome.peer_reset : &outcome.ack};
    case Fate::kPeerDecides:
      return DecisiveDrop{PacketKind::kAck, IsLost(outcome.ack.disposition) ? &outcome.ack : &outcome.peer_reset};
    case Fate::kPeerFinDropped:
      return IsLost(outcome.peer_fin.disposition) ? DecisiveDrop{PacketKind::kPeerFin, &outcome.peer_fin}
                                                  : DecisiveDrop{PacketKind::kData, &outcome.last_ack};
    case Fate::kClean:
    case Fate::kNatLost:
    case Fate::kUnknown:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace finwait::diagnosis
