#include "exporter/diagnosis/close_fate.h"

#include <utility>

#include "exporter/diagnosis/drop_site.h"

namespace finwait::diagnosis {
namespace {

using firewall::eval::Disposition;
using firewall::eval::NatEffect;
using firewall::eval::PacketKind;
using firewall::eval::TraversalResult;
using firewall::eval::Tristate;

void BecauseOf(const TraversalResult& unknown, CloseOutcome& outcome) {
  outcome.fate = Fate::kUnknown;
  outcome.reason = unknown.reason;
}

// Whether it passes as the first packet of a new entry.
bool MakesAnEntry(const TraversalResult& result) {
  return result.disposition == Disposition::kAccept && result.state == firewall::eval::PacketTracking::kNew;
}

// The fate of a connection whose FIN leaves, by what becomes of the peer's packets.
void CombinePeersHalf(const ClosingPackets& packets, CloseOutcome& outcome) {
  if (outcome.ack.disposition == Disposition::kUnknown) {
    return BecauseOf(outcome.ack, outcome);
  }
  bool ack_lost = IsLost(outcome.ack.disposition);
  const auto reset = ack_lost ? packets.reset_of_peer(outcome.ack) : std::nullopt;
  if (reset && !IsLost(reset->disposition)) {
    // The peer is gone then, sends no FIN, and answers the next try of this end's with a RST.
    outcome.peer_reset = packets.peer_reset();
    const bool reset_unknown = reset->disposition == Disposition::kUnknown;
    if (reset_unknown || outcome.peer_reset.disposition == Disposition::kUnknown) {
      return BecauseOf(reset_unknown ? *reset : outcome.peer_reset, outcome);
    }
    if (IsLost(outcome.peer_reset.disposition)) {
      outcome.fate = Fate::kAckDropped;
      return;
    }
    ack_lost = false;
  }
  if (packets.peer_has_closed) {  // its FIN has come, and a second one with an ACK in it will not
    outcome.fate = ack_lost ? Fate::kAckDropped : Fate::kClean;
    if (!ack_lost) {  // a peer that has closed forgets the connection (tcp_fin_timeout), and answers with a RST then
      outcome.peer_reset = packets.peer_reset();
      outcome.fate = IsLost(outcome.peer_reset.disposition) ? Fate::kPeerDecides : Fate::kClean;
    }
    return;
  }
  outcome.peer_fin = packets.traverse(PacketKind::kPeerFin);
  if (IsLost(outcome.peer_fin.disposition)) {
    outcome.fate = ack_lost ? Fate::kAckDropped : Fate::kPeerFinDropped;
    return;
  }
  if (outcome.peer_fin.disposition == Disposition::kUnknown) {
    return BecauseOf(outcome.peer_fin, outcome);
  }
  if (const auto later = packets.later_peer_fin(); later.disposition != Disposition::kAccept) {
    outcome.peer_fin = later;
    if (later.disposition == Disposition::kUnknown) {
      return BecauseOf(later, outcome);
    }
    outcome.fate = ack_lost ? Fate::kAckDropped : Fate::kPeerFinDropped;
    return;
  }
  if (ack_lost) {  // the peer's FIN acknowledges ours as well as a bare ACK does
    outcome.fate = Fate::kPeerDecides;
    return;
  }
  outcome.last_ack = packets.last_ack();
  if (outcome.last_ack.disposition == Disposition::kUnknown) {
    return BecauseOf(outcome.last_ack, outcome);
  }
  outcome.fate = IsLost(outcome.last_ack.disposition) ? Fate::kPeerFinDropped : Fate::kClean;
}

// The fate of a connection whose data makes an entry again. The first packet of a peer that closes by Multipath TCP
// does, too, unless it is lost.
void CombineWithNewEntry(const ClosingPackets& packets, CloseOutcome& outcome) {
  const TraversalResult data_fin = std::move(outcome.ack);
  outcome = packets.with_entry();
  if (!packets.multipath || packets.peer_has_closed || outcome.fate != Fate::kClean) {
    return;
  }
  if (data_fin.disposition == Disposition::kUnknown) {
    BecauseOf(data_fin, outcome);
  } else if (IsLost(data_fin.disposition)) {
    outcome.fate = Fate::kPeerFinDropped;
    outcome.peer_fin = data_fin;
  }
}

}  // namespace

CloseOutcome CombineFate(const ClosingPackets& packets) {
  CloseOutcome outcome;
  outcome.fin = packets.traverse(PacketKind::kFin);
  if (IsLost(outcome.fin.disposition) && !packets.sends_first) {
    outcome.fate = Fate::kFinDropped;
    return outcome;
  }
  outcome.ack = packets.traverse(PacketKind::kAck);
  const NatEffect nat = packets.translation();
  const auto data = packets.sends_first ? std::optional(packets.traverse(PacketKind::kData)) : std::nullopt;
  if (nat.Any() == Tristate::kYes && (!data || IsLost(data->disposition))) {
    outcome.fate = Fate::kNatLost;
    return outcome;
  }
  // A peer whose window is closed tells when it opens: that ACK brings the entry back as well as our probes would.
  const Tristate told =
      data && IsLost(data->disposition) && IsLost(outcome.fin.disposition) && MakesAnEntry(outcome.ack)
          ? packets.window_closed()
          : Tristate::kNo;
  if (nat.Any() == Tristate::kUnknown) {
    outcome.fate = Fate::kUnknown;
    outcome.reason = "its conntrack entry was gone before it was first collected, and " +
                     std::string(kNotToldTranslated) + ": " + nat.reason;
  } else if (data && MakesAnEntry(*data)) {
    CombineWithNewEntry(packets, outcome);
  } else if (data && data->disposition == Disposition::kUnknown &&
             (IsLost(outcome.fin.disposition) || nat.Any() == Tristate::kYes)) {
    BecauseOf(*data, outcome);
  } else if (nat.Any() == Tristate::kYes) {
    outcome.fate = Fate::kNatLost;
  } else if (told == Tristate::kYes) {
    CloseOutcome with_entry = packets.with_entry();
    if (with_entry.fate == Fate::kClean) {
      outcome.fate = Fate::kPeerDecides;
    } else {
      outcome = std::move(with_entry);
    }
  } else if (told == Tristate::kUnknown) {
    outcome.fate = Fate::kUnknown;
    outcome.reason = "whether the peer's window is closed, so that its update makes an entry";
  } else if (IsLost(outcome.fin.disposition)) {
    outcome.fate = Fate::kFinDropped;
  } else if (outcome.fin.disposition == Disposition::kUnknown) {
    BecauseOf(outcome.fin, outcome);
  } else {
    CombinePeersHalf(packets, outcome);
  }
  return outcome;
}

CloseOutcome CombineTrackedFate(const TrackedPackets& packets) {
  CloseOutcome outcome;
  outcome.fin = packets.traverse(PacketKind::kFin);
  if (IsLost(outcome.fin.disposition)) {
    outcome.fate = Fate::kFinDropped;
    return outcome;
  }
  outcome.ack = packets.traverse(PacketKind::kAck);
  // What a reset makes of the peer and of the entry is not followed.
  const bool ack_lost = IsLost(outcome.ack.disposition) && !packets.reset_of_peer(outcome.ack);
  if (packets.peer_has_closed) {
    outcome.fate = ack_lost ? Fate::kAckDropped : Fate::kClean;
    return outcome;
  }
  outcome.peer_fin = packets.traverse(PacketKind::kPeerFin);
  if (IsLost(outcome.peer_fin.disposition)) {
    outcome.fate = ack_lost ? Fate::kAckDropped : Fate::kPeerFinDropped;
    return outcome;
  }
  if (ack_lost) {  // the peer's FIN acknowledges ours as well as a bare ACK does
    outcome.fate = outcome.peer_fin.disposition == Disposition::kAccept ? Fate::kPeerDecides : Fate::kClean;
    return outcome;
  }
  outcome.last_ack = packets.last_ack();
  outcome.fate = IsLost(outcome.last_ack.disposition) ? Fate::kPeerFinDropped : Fate::kClean;
  return outcome;
}

bool DecidesBefore(const CloseOutcome& with_entry, const CloseOutcome& without) {
  return with_entry.fate == Fate::kFinDropped || (with_entry.fate != Fate::kClean && without.fate == Fate::kClean);
}

}  // namespace finwait::diagnosis
