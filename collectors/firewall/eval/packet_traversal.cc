#include "collectors/firewall/eval/packet_traversal.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "collectors/firewall/eval/reset_answer.h"
#include "collectors/firewall/facts/fact.h"

namespace finwait::firewall::eval {
namespace {

void SetPlace(TraversalResult& verdict, const Table* table, const Chain* chain, const Rule* rule) {
  if (table != nullptr && chain != nullptr) {
    verdict.location = IdOf(*table, *chain, rule);
  }
}

TraversalResult FromEnd(const TraversalEnd& end, Disposition disposition, const PacketPathSettings& settings) {
  TraversalResult verdict;
  verdict.disposition = disposition;
  verdict.hook = end.hook;
  if (settings.conntrack_active) {
    verdict.state = end.result.packet.tracking;
  }
  SetPlace(verdict, end.result.table, end.result.chain, end.result.rule);
  return verdict;
}

bool Is(const TraversalEnd& end, ChainResult::Kind kind) { return end.result.kind == kind; }

// Whether a packet that was let through still belongs to its connection: nat chains translate what conntrack takes for
// the first packet of a new one.
Tristate StaysItself(const Packet& sent, const Packet& arrived) {
  if (arrived.source_translated == Tristate::kNo && arrived.destination_translated == Tristate::kNo) {
    return Tristate::kYes;
  }
  Tristate same = Tristate::kYes;
  const auto compare = [&](AbstractBytes before, AbstractBytes after) {
    for (std::size_t i = 0; i < before.size(); ++i) {
      if (before[i] != after[i]) {
        same = And(same, before[i].IsKnown() && after[i].IsKnown() ? Tristate::kNo : Tristate::kUnknown);
      }
    }
  };
  compare(sent.SourceAddress(), arrived.SourceAddress());
  compare(sent.DestinationAddress(), arrived.DestinationAddress());
  compare(AbstractBytes(sent.transport).first(4), AbstractBytes(arrived.transport).first(4));
  return same;
}

using WireEnds = std::vector<AbstractByte>;

WireEnds EndsOf(const Packet& packet) {
  WireEnds ends(packet.SourceAddress().begin(), packet.SourceAddress().end());
  ends.insert(ends.end(), packet.DestinationAddress().begin(), packet.DestinationAddress().end());
  ends.insert(ends.end(), packet.transport.begin(), packet.transport.begin() + 4);
  return ends;
}

// The same for the data of a connection that was translated when it was opened. If this end opened it, what opens its
// entry again is translated as its first packet was, unless chance has a part in it (`certain` says that all ways lead
// to the same ends). If the peer opened it, nothing here undoes what the peer's first packet met.
Tristate StaysTranslated(const Connection& connection, Tristate stays_itself, bool certain) {
  if (connection.translated == Tristate::kUnknown) {
    return Tristate::kUnknown;
  }
  if (connection.opened_by == OpenedBy::kPeer || stays_itself == Tristate::kYes) {
    return Tristate::kNo;
  }
  if (connection.opened_by == OpenedBy::kUnknown) {
    return Tristate::kUnknown;
  }
  return certain ? Not(stays_itself) : Tristate::kUnknown;
}

// Whether all ways lead to the same, known ends.
bool LeadToOnePlace(const std::vector<TraversalEnd>& ends) {
  std::optional<WireEnds> place;
  for (const TraversalEnd& end : ends) {
    if (end.result.kind != ChainResult::Kind::kAccept) {
      continue;
    }
    const WireEnds here = EndsOf(end.result.packet);
    const bool known = std::all_of(here.begin(), here.end(), [](const AbstractByte& byte) { return byte.IsKnown(); });
    if (!known || (place && *place != here)) {
      return false;
    }
    place = here;
  }
  return true;
}

// A packet that ends up as another connection's is lost for its own.
void ApplyTranslation(const Connection& connection, PacketKind kind, const Packet& sent,
                      std::vector<TraversalEnd>& ends) {
  const bool certain = LeadToOnePlace(ends);
  for (TraversalEnd& end : ends) {
    if (end.result.kind != ChainResult::Kind::kAccept) {
      continue;
    }
    const AbstractByte& flags = end.result.packet.TcpFlags();
    if ((sent.TcpFlags().value & flags.known & ~flags.value & TH_FIN) != 0) {
      end.result.kind = ChainResult::Kind::kDrop;
      end.result.because = "a rule takes its FIN away";
      continue;
    }
    Tristate stays = StaysItself(sent, end.result.packet);
    const bool has_entry = end.result.packet.tracking == PacketTracking::kEstablished;
    if (kind == PacketKind::kData && connection.translated != Tristate::kNo && !has_entry) {
      stays = StaysTranslated(connection, stays, certain);
    }
    if (stays == Tristate::kNo) {
      end.result.kind = ChainResult::Kind::kDrop;
      end.result.because = "address translation makes it another connection's packet";
    } else if (stays == Tristate::kUnknown) {
      end.result.kind = ChainResult::Kind::kUnknown;
      end.result.because = kTranslationLeads;
    }
  }
}

bool HasEndsOf(const Packet& packet, const Packet& other) { return EndsOf(packet) == EndsOf(other); }

// The ends of a packet that answers `sent`.
void TurnRound(const Packet& sent, Packet& answer) {
  const std::size_t source = sent.family == IpFamily::kIpv4 ? 12 : 8;
  const std::size_t size = sent.family == IpFamily::kIpv4 ? 4 : 16;
  std::copy_n(sent.network.begin() + source, size, answer.network.begin() + source + size);
  std::copy_n(sent.network.begin() + source + size, size, answer.network.begin() + source);
  std::copy_n(sent.transport.begin(), 2, answer.transport.begin() + 2);
  std::copy_n(sent.transport.begin() + 2, 2, answer.transport.begin());
}

// A FIN that is sent again, because its answer was lost, is answered with what the peer has had already: one more
// option (D-SACK, RFC 2883), where both agreed on that. Nothing where the length of the first answer is not known.
std::optional<Packet> AnswerToSecondFin(Packet ack) {
  constexpr unsigned kOption = 12;
  const IntervalSet lengths = ack.Domain(Field::kPacketLength);
  const auto& only = lengths.Intervals().front();
  if (ack.general || lengths.Intervals().size() != 1 || only.first != only.last) {
    return std::nullopt;
  }
  const unsigned whole = static_cast<unsigned>(only.first) + kOption;
  const unsigned told = ack.family == IpFamily::kIpv4 ? whole : whole - 40;  // IPv6 counts its header out
  const std::size_t place = ack.family == IpFamily::kIpv4 ? 2 : 4;
  ack.network[place] = AbstractByte::Known(static_cast<std::uint8_t>(told >> 8));
  ack.network[place + 1] = AbstractByte::Known(static_cast<std::uint8_t>(told));
  const unsigned words = (whole - static_cast<unsigned>(ack.NetworkLength())) / 4;
  ack.Restrict(Field::kPacketLength, IntervalSet::Between(whole, whole));
  ack.Restrict(Field::kTcpOffset, IntervalSet::Between(words << 4, words << 4 | 0xf));
  return ack;
}

// What may drop a packet, for a reader: two rules are told by their places.
std::string OneOf(const std::vector<TraversalEnd>& ends) {
  std::set<RuleId> rules;
  for (const TraversalEnd& end : ends) {
    if (end.result.table == nullptr || end.result.chain == nullptr) {
      return "one of several rules";
    }
    rules.insert(IdOf(*end.result.table, *end.result.chain, end.result.rule));
  }
  return rules.size() == 2 ? "either " + Describe(*rules.begin()) + " or " + Describe(*rules.rbegin())
                           : "one of several rules";
}

// Where one of several rules drops the packet, it is in no place: the counter of one that is named has to rise.
void NameNoneOfSeveral(const std::vector<TraversalEnd>& ends, TraversalResult& verdict) {
  const ChainResult& first = ends.front().result;
  const auto same = [&](const TraversalEnd& end) {
    return (end.result.table == first.table && end.result.chain == first.chain && end.result.rule == first.rule) ||
           (!first.because.empty() && end.result.because == first.because);  // then no rule drops it
  };
  if (std::all_of(ends.begin(), ends.end(), same)) {
    return;
  }
  verdict.location.reset();
  if (!std::all_of(ends.begin(), ends.end(), [&](const TraversalEnd& end) { return end.hook == ends.front().hook; })) {
    verdict.hook.reset();
  }
  const auto uncertain = std::find_if(ends.begin(), ends.end(),
                                      [](const TraversalEnd& end) { return end.result.packet.uncertainty != nullptr; });
  verdict.reason = OneOf(ends) + " drops it, and which one hangs on " +
                   (uncertain != ends.end() ? uncertain->result.packet.uncertainty->because : std::string(kChainOrder));
}

// What rules let pass and a program may yet drop. What rules drop is dropped whatever it does.
TraversalResult UnlessProgramDecides(const std::vector<TraversalEnd>& ends, TraversalResult accepted) {
  const auto met = std::find_if(ends.begin(), ends.end(),
                                [](const TraversalEnd& end) { return end.result.packet.program != nullptr; });
  if (met != ends.end()) {
    const facts::ForeignProgram& program = *met->result.packet.program;
    accepted.disposition = Disposition::kUnknown;
    accepted.hook = program.hook;
    accepted.location.reset();
    accepted.reason = "what is no rule of the firewall and may drop it: " + program.name;
  }
  return accepted;
}

// What all the ways together say.
TraversalResult Combine(const std::vector<TraversalEnd>& ends, const PacketPathSettings& settings) {
  const auto first = [&](ChainResult::Kind kind) {
    return std::find_if(ends.begin(), ends.end(), [&](const TraversalEnd& end) { return Is(end, kind); });
  };
  if (const auto unknown = first(ChainResult::Kind::kUnknown); unknown != ends.end()) {
    TraversalResult verdict = FromEnd(*unknown, Disposition::kUnknown, settings);
    verdict.reason = unknown->result.because;
    return verdict;
  }
  const auto accepted = first(ChainResult::Kind::kAccept);
  const auto stopped = std::find_if(ends.begin(), ends.end(), [](const TraversalEnd& end) {
    return Is(end, ChainResult::Kind::kDrop) || Is(end, ChainResult::Kind::kReject);
  });
  const auto queued = first(ChainResult::Kind::kQueue);
  if (stopped == ends.end() && queued == ends.end()) {
    return UnlessProgramDecides(ends, FromEnd(*accepted, Disposition::kAccept, settings));
  }
  if (accepted == ends.end()) {
    const bool all_rejected = std::all_of(ends.begin(), ends.end(),
                                          [](const TraversalEnd& end) { return Is(end, ChainResult::Kind::kReject); });
    const TraversalEnd& end = stopped != ends.end() ? *stopped : *queued;
    TraversalResult verdict = FromEnd(end, all_rejected ? Disposition::kReject : Disposition::kDrop, settings);
    verdict.reason = end.result.because;
    NameNoneOfSeveral(ends, verdict);
    return verdict;
  }
  TraversalResult verdict = FromEnd(stopped != ends.end() ? *stopped : *queued, Disposition::kUnknown, settings);
  for (const TraversalEnd& end : ends) {
    if (const auto& uncertainty = end.result.packet.uncertainty) {
      verdict.reason = uncertainty->because;
      verdict.hook = uncertainty->hook;
      SetPlace(verdict, uncertainty->table, uncertainty->chain, uncertainty->rule);
      break;
    }
  }
  if (verdict.reason.empty()) {
    verdict.reason = kChainOrder;
  }
  return verdict;
}

// The verdict where rules that could decide could not be read.
std::optional<TraversalResult> BecauseUnread(const Ruleset& ruleset, IpFamily family) {
  for (const UnreadPart& part : ruleset.unread) {
    if (!part.family || Covers(*part.family, family)) {
      TraversalResult verdict;
      verdict.reason = part.error.message;
      return verdict;
    }
  }
  return std::nullopt;
}

bool IsStopped(const TraversalResult& verdict) {
  return verdict.disposition == Disposition::kDrop || verdict.disposition == Disposition::kReject;
}

// A question about one connection, asked of all its packets.
class ClosingTraversal {
 public:
  ClosingTraversal(ChainEvaluator& evaluator, const Connection& connection, const PacketPathSettings& settings)
      : evaluator_(evaluator), connection_(connection), settings_(settings) {}

  TraversalResult Of(PacketKind kind) {
    const bool sent_here =
        connection_.path_kind == PathKind::kLoopback || (connection_.path_kind == PathKind::kLocal && IsOutgoing(kind));
    if (sent_here && (kind == PacketKind::kFin || kind == PacketKind::kPeerFin)) {
      return OfFinSentHere(kind, TrackingWithoutEntry(kind, settings_.tcp_loose));
    }
    if (!IsOutgoing(kind) && connection_.path_kind != PathKind::kLoopback && !connection_.general &&
        evaluator_.RewritesEnds()) {
      return OfAnswerToRewritten(kind);
    }
    const Packet sent = WithChangesBefore(kind, MakePacket(connection_, kind));
    const PacketTracking looked_up = TrackingWithoutEntry(kind, settings_.tcp_loose);
    const std::vector<TraversalEnd> ways = Ways(kind, sent, looked_up);
    TraversalResult verdict = Combine(ways, settings_);
    if (kind == PacketKind::kAck && IsStopped(verdict)) {
      TraversalResult later = AfterTries(kind, sent, looked_up, ways);
      if (!IsStopped(later)) {
        return later;
      }
      const auto second = AnswerToSecondFin(sent);
      if (second && !IsStopped(Walk(kind, *second, looked_up))) {
        verdict.disposition = Disposition::kUnknown;
        verdict.reason = "whether the peer's later answers are longer than the first, which is not let through";
        return verdict;
      }
    }
    if (connection_.path_kind == PathKind::kLoopback && IsLostBehindDeviceAsNew(verdict, ways)) {
      if (kind == PacketKind::kAck) {
        return OfAckThroughOwnEntry(verdict, ways);
      }
      if (kind == PacketKind::kData && IsStopped(verdict)) {
        return OfDataThroughOwnEntry(verdict);
      }
    } else if (connection_.path_kind == PathKind::kLoopback && kind == PacketKind::kAck && IsStopped(verdict)) {
      // On some of its ways alone it gets as far as to make an entry.
      const auto behind = std::find_if(ways.begin(), ways.end(), EndsBehindDeviceAsNew);
      if (behind != ways.end() && !IsStopped(OfAckThroughOwnEntry(verdict, ways))) {
        verdict.disposition = Disposition::kUnknown;
        const auto& uncertainty = behind->result.packet.uncertainty;
        verdict.reason = uncertainty != nullptr ? uncertainty->because : std::string(kChainOrder);
      }
    }
    return verdict;
  }

  // The peer's FIN behind ours, and behind its ACK where that gets here: where one of them has made an entry or changed
  // a set, the peer's FIN would be met otherwise if it were the first.
  std::optional<TraversalResult> OfPeersLaterFin() {
    if (connection_.path_kind == PathKind::kLoopback) {
      return std::nullopt;
    }
    Packet ack = WithChangesBefore(PacketKind::kAck, MakePacket(connection_, PacketKind::kAck));
    const std::vector<TraversalEnd> ways =
        Ways(PacketKind::kAck, ack, TrackingWithoutEntry(PacketKind::kAck, settings_.tcp_loose));
    const auto passed = std::find_if(ways.begin(), ways.end(),
                                     [](const TraversalEnd& end) { return Is(end, ChainResult::Kind::kAccept); });
    const bool has_entry = passed != ways.end() && passed->result.packet.tracking == PacketTracking::kNew;
    ack = passed != ways.end() ? passed->result.packet : ack;
    if (!has_entry && ack.lasting.Empty()) {
      return std::nullopt;
    }
    Packet fin = MakePacket(connection_, PacketKind::kPeerFin);
    fin.lasting = ack.lasting;
    if (has_entry) {
      fin.connection_mark = ack.connection_mark;
      fin.confirmed = true;
    }
    TraversalResult later =
        Walk(PacketKind::kPeerFin, fin, has_entry ? PacketTracking::kNew : PacketTracking::kNoEntry);
    if (IsStopped(later) && later.reason.empty()) {
      later.reason = "where the peer closes after this end";
    }
    return later;
  }

  // As long as a FIN is, and without its flag. It is sent for a socket that no process holds any more, mostly by what
  // stands for it in TIME_WAIT (tcp_v4_timewait_ack()).
  TraversalResult OfLastAck(PacketTracking looked_up) {
    Packet packet = MakePacket(connection_, PacketKind::kFin);
    packet.owner = SocketOwner::kNone;
    packet.TcpFlags() = AbstractByte::Known(std::uint8_t{TH_ACK});
    packet.lasting = LeftForTheAnswerTo(PacketKind::kPeerFin);
    return Walk(PacketKind::kData, packet, looked_up);
  }

  // The FIN that was dropped has put its entry into FIN_WAIT, which lasts as long as the tries do: all are ESTABLISHED.
  TraversalResult OfTracked(PacketKind kind) {
    const bool fin_sent_here = connection_.path_kind == PathKind::kLoopback
                                   ? kind == PacketKind::kFin || kind == PacketKind::kPeerFin
                                   : connection_.path_kind == PathKind::kLocal && kind == PacketKind::kFin;
    if (fin_sent_here) {
      return OfFinSentHere(kind, PacketTracking::kEstablished);
    }
    return Walk(kind, Made(kind), PacketTracking::kEstablished);
  }

  // Without an ACK: it answers a segment that had one (tcp_v4_send_reset()).
  TraversalResult OfPeerReset() {
    Packet packet = MakePacket(connection_, PacketKind::kPeerFin);
    packet.TcpFlags() = AbstractByte::Known(std::uint8_t{TH_RST});
    return Walk(PacketKind::kPeerFin, packet, PacketTracking::kNoEntry);
  }

  // `looked_up`: what conntrack knows of a packet of the connection that it looks up. A reset makes no entry.
  TraversalResult OfAnswerTo(PacketKind kind, PacketTracking rejected, PacketTracking looked_up) {
    const ResetAnswer answer = AnswerTo(connection_, kind, rejected);
    const PacketTracking tracking =
        looked_up == PacketTracking::kEstablished ? PacketTracking::kEstablished : PacketTracking::kNoEntry;
    return Combine(TraverseHooks(evaluator_, answer.connection, PacketKind::kRst, answer.packet, tracking, settings_),
                   settings_);
  }

 private:
  // Decided where the packet comes in again through loopback, or by a bridge: the sender does not notice.
  static bool IsLostBehindDevice(const TraversalResult& verdict) {
    return verdict.disposition != Disposition::kAccept &&
           (verdict.hook == Hook::kIngress || verdict.hook == Hook::kPrerouting || verdict.hook == Hook::kInput ||
            (verdict.location && verdict.location->family == TableFamily::kBridge));
  }

  static bool IsLostBehindDeviceAsNew(const TraversalResult& verdict, const std::vector<TraversalEnd>& ways) {
    return (IsLostBehindDevice(verdict) && verdict.state == PacketTracking::kNew) ||
           std::all_of(ways.begin(), ways.end(), EndsBehindDeviceAsNew);
  }
  static bool EndsBehindDeviceAsNew(const TraversalEnd& end) {
    return !Is(end, ChainResult::Kind::kAccept) && end.result.packet.tracking == PacketTracking::kNew &&
           (end.hook == Hook::kIngress || end.hook == Hook::kPrerouting || end.hook == Hook::kInput);
  }

  std::vector<TraversalEnd> Ways(PacketKind kind, const Packet& packet, PacketTracking looked_up) {
    std::vector<TraversalEnd> ends = TraverseHooks(evaluator_, connection_, kind, packet, looked_up, settings_);
    ApplyTranslation(connection_, kind, packet, ends);
    return ends;
  }
  TraversalResult Walk(PacketKind kind, const Packet& packet, PacketTracking looked_up) {
    return Combine(Ways(kind, packet, looked_up), settings_);
  }
  TraversalResult Walk(PacketKind kind, const Packet& packet) {
    return Walk(kind, packet, TrackingWithoutEntry(kind, settings_.tcp_loose));
  }

  // What a FIN has put into sets and lists, or taken out, is so when its answer comes. Where the FIN's ways differ,
  // that is what one of them did.
  packet::LastingChanges LeftForTheAnswerTo(PacketKind fin) {
    packet::LastingChanges left;
    if (evaluator_.ChangesSets()) {
      for (const TraversalEnd& end :
           Ways(fin, MakePacket(connection_, fin), TrackingWithoutEntry(fin, settings_.tcp_loose))) {
        if (Is(end, ChainResult::Kind::kAccept) && !end.result.packet.lasting.Empty()) {
          left = end.result.packet.lasting.TurnedRound();
        }
      }
    }
    return left;
  }

  Packet WithChangesBefore(PacketKind kind, Packet packet) {
    if (kind == PacketKind::kAck) {
      packet.lasting = LeftForTheAnswerTo(PacketKind::kFin);
    }
    return packet;
  }

  // What becomes of a packet that is dropped when it is tried again and again, with what it has changed in sets and
  // lists by then. `ways`: of its first try.
  TraversalResult AfterTries(PacketKind kind, Packet packet, PacketTracking looked_up, std::vector<TraversalEnd> ways) {
    constexpr int kTries = 8;  // there are more, up to tcp_retries2 and the peer's, but they take minutes
    TraversalResult first = Combine(ways, settings_);
    TraversalResult last = first;
    for (int i = 1; i < kTries && last.disposition == Disposition::kDrop; ++i) {
      const packet::LastingChanges& left = ways.front().result.packet.lasting;
      const bool certain = std::all_of(ways.begin(), ways.end(),
                                       [&](const TraversalEnd& end) { return end.result.packet.lasting == left; });
      if (!certain || left == packet.lasting) {
        break;
      }
      packet.lasting = left;
      ways = Ways(kind, packet, looked_up);
      last = Combine(ways, settings_);
    }
    if (IsStopped(last)) {
      return first;
    }
    if (last.disposition == Disposition::kAccept) {
      last.reason = "the first try is not let through, but what it changes in a set or list lets a later one through";
    }
    return last;
  }

  // Rules may rewrite addresses and ports without conntrack (stateless NAT). The peer then sees other ends than the
  // socket has, its packets come back to those, and reach the socket only if rules turn them back.
  TraversalResult OfAnswerToRewritten(PacketKind kind) {
    const PacketKind asked_by = kind == PacketKind::kAck ? PacketKind::kFin : PacketKind::kData;
    const std::vector<TraversalEnd> left =
        Ways(asked_by, MakePacket(connection_, asked_by), TrackingWithoutEntry(asked_by, settings_.tcp_loose));
    const auto passed = std::find_if(left.begin(), left.end(),
                                     [](const TraversalEnd& end) { return Is(end, ChainResult::Kind::kAccept); });
    const Packet expected = MakePacket(connection_, kind);
    Packet answer = expected;
    if (passed != left.end()) {
      if (!LeadToOnePlace(left)) {
        TraversalResult verdict;
        verdict.reason = "which ends a rule gives to what this socket sends";
        return verdict;
      }
      TurnRound(passed->result.packet, answer);
    }
    std::vector<TraversalEnd> ends = Ways(kind, answer, TrackingWithoutEntry(kind, settings_.tcp_loose));
    for (TraversalEnd& end : ends) {
      if (Is(end, ChainResult::Kind::kAccept) && !HasEndsOf(end.result.packet, expected)) {
        end.result.kind = ChainResult::Kind::kDrop;
        end.result.because = "no rule turns its addresses back into those of the socket";
      }
    }
    return Combine(ends, settings_);
  }

  // The packet as its sender makes it: what comes through an entry that translates it has the ends beyond nat.
  Packet Made(PacketKind kind) const {
    Packet packet = MakePacket(connection_, kind);
    if (settings_.entry_is_listed && connection_.beyond_nat && !IsOutgoing(kind)) {
      packet.PutSource(connection_.beyond_nat->peer, packet.source_kind);
      packet.PutDestination(connection_.beyond_nat->local, AddressKind::kUnknown);
    }
    return packet;
  }

  // The packet of a later try: sent by a timer, for a socket that no process holds any more. A FIN that failed to leave
  // is probed for, with PSH; one that was lost on its way is retransmitted as it was.
  Packet LaterFin(PacketKind kind, bool probe) const {
    Packet packet = Made(kind);
    packet.owner = SocketOwner::kNone;
    if (probe) {
      packet.TcpFlags().value |= TH_PUSH;
    }
    return packet;
  }

  // Whether the first try, which ended in these ways, is answered by a reset that ends the socket.
  Tristate EndsTheSocket(PacketKind kind, PacketTracking looked_up, const std::vector<TraversalEnd>& ends) {
    std::size_t ended = 0;
    bool perhaps = false;
    for (const TraversalEnd& end : ends) {
      if (IsAnsweredWithReset(end)) {
        const TraversalResult arrives = OfAnswerTo(kind, end.result.packet.tracking, looked_up);
        ended += arrives.disposition == Disposition::kAccept ? 1 : 0;
        perhaps = perhaps || !IsStopped(arrives);
      }
    }
    return !perhaps ? Tristate::kNo : ended == ends.size() ? Tristate::kYes : Tristate::kUnknown;
  }

  TraversalResult OfFinSentHere(PacketKind kind, PacketTracking looked_up) {
    const std::vector<TraversalEnd> ways = Ways(kind, Made(kind), looked_up);
    TraversalResult first = Combine(ways, settings_);
    if (first.disposition == Disposition::kAccept) {
      return first;
    }
    const Tristate gone = EndsTheSocket(kind, looked_up, ways);
    if (gone == Tristate::kYes) {
      first.reason = "the reset that answers it ends the socket, which does not try again";
      return first;
    }
    Packet again = LaterFin(kind, !IsLostBehindDevice(first));
    again.lasting = ways.front().result.packet.lasting;  // what the first try changed stays so
    TraversalResult later = AfterTries(kind, again, looked_up, Ways(kind, again, looked_up));
    if (later.disposition == Disposition::kAccept && gone == Tristate::kUnknown) {
      first.disposition = Disposition::kUnknown;
      first.reason = "whether a reset answers the first try, and so no later one, which would be let through, is made";
      return first;
    }
    if (later.disposition == Disposition::kAccept) {
      later.reason =
          "the first try is not let through, later ones are: no process holds the socket any more, or PSH is set";
      return later;
    }
    return IsStopped(first) ? later : first;  // dropped for certain only if both are
  }

  // An ACK that was let out made an entry before it was lost coming in. The FIN that it did not answer is retransmitted
  // as a reply in that entry, and so the next ACK is of an established connection.
  TraversalResult OfAckThroughOwnEntry(const TraversalResult& first, const std::vector<TraversalEnd>& ways) {
    const PacketTracking looked_up = TrackingWithoutEntry(PacketKind::kAck, settings_.tcp_loose);
    const Tristate gone = EndsTheSocket(PacketKind::kAck, looked_up, ways);
    if (gone == Tristate::kYes) {
      return first;  // a reset answered it, and nobody is left who would send the next one
    }
    TraversalResult fin = Walk(PacketKind::kFin, LaterFin(PacketKind::kFin, false), PacketTracking::kEstablished);
    TraversalResult ack =
        Walk(PacketKind::kAck, MakePacket(connection_, PacketKind::kAck), PacketTracking::kEstablished);
    if (IsStopped(fin) || (IsStopped(first) && IsStopped(ack))) {
      return first;
    }
    if (fin.disposition != Disposition::kAccept) {
      return fin;
    }
    if (ack.disposition == Disposition::kAccept && gone == Tristate::kUnknown) {
      ack.disposition = Disposition::kUnknown;
      ack.reason = "whether a reset answers the first ACK, and so no later one, which would be let through, is made";
    } else if (ack.disposition == Disposition::kAccept) {
      ack.reason = "the first one is lost, but makes the entry through which the next one passes";
    }
    return ack;
  }

  // Data that was let out made an entry before it was lost coming in, with the marks that rules gave it. The next try
  // finds that entry, which is NEW until it is answered.
  TraversalResult OfDataThroughOwnEntry(const TraversalResult& first) {
    const Packet sent = WithChangesBefore(PacketKind::kData, MakePacket(connection_, PacketKind::kData));
    const std::vector<TraversalEnd> ways =
        Ways(PacketKind::kData, sent, TrackingWithoutEntry(PacketKind::kData, settings_.tcp_loose));
    const Packet& lost = ways.front().result.packet;
    const bool translated = lost.source_translated != Tristate::kNo || lost.destination_translated != Tristate::kNo;
    if (ways.size() > 1 || translated || lost.connection_mark == sent.connection_mark) {
      return first;
    }
    Packet again = sent;
    again.connection_mark = lost.connection_mark;
    again.lasting = lost.lasting;
    again.confirmed = true;
    TraversalResult next = Walk(PacketKind::kData, again);
    if (next.disposition == Disposition::kAccept) {
      next.reason = "the first one is lost, but makes the entry whose mark lets the next one pass";
    }
    return IsStopped(next) ? first : next;
  }

  ChainEvaluator& evaluator_;
  const Connection& connection_;
  const PacketPathSettings& settings_;
};

}  // namespace

std::string_view Name(Disposition disposition) {
  switch (disposition) {
    case Disposition::kAccept:
      return "accept";
    case Disposition::kDrop:
      return "drop";
    case Disposition::kReject:
      return "reject";
    case Disposition::kUnknown:
      return "unknown";
  }
  return "unknown";
}

TraversalResult EvaluatePacket(ChainEvaluator& evaluator, const Connection& connection, PacketKind kind,
                               const PacketPathSettings& settings) {
  auto unread = BecauseUnread(evaluator.GetRuleset(), connection.family);
  return unread ? *std::move(unread) : ClosingTraversal(evaluator, connection, settings).Of(kind);
}

TraversalResult EvaluateLastAck(ChainEvaluator& evaluator, const Connection& connection,
                                const PacketPathSettings& settings) {
  auto unread = BecauseUnread(evaluator.GetRuleset(), connection.family);
  return unread ? *std::move(unread)
                : ClosingTraversal(evaluator, connection, settings)
                      .OfLastAck(TrackingWithoutEntry(PacketKind::kData, settings.tcp_loose));
}

std::optional<TraversalResult> EvaluatePeersLaterFin(ChainEvaluator& evaluator, const Connection& connection,
                                                     const PacketPathSettings& settings) {
  if (auto unread = BecauseUnread(evaluator.GetRuleset(), connection.family)) {
    return unread;
  }
  return ClosingTraversal(evaluator, connection, settings).OfPeersLaterFin();
}

TraversalResult EvaluatePeerReset(ChainEvaluator& evaluator, const Connection& connection,
                                  const PacketPathSettings& settings) {
  if (auto unread = BecauseUnread(evaluator.GetRuleset(), connection.family)) {
    return *std::move(unread);
  }
  Connection closed = connection;
  closed.local_socket.held = false;
  TraversalResult later = ClosingTraversal(evaluator, closed, settings).OfPeerReset();
  if (!IsStopped(later)) {
    return later;
  }
  // Within the same machine the first reset comes before close() lets go of the socket (sock_orphan() follows
  // tcp_send_fin()); from farther away it hardly does.
  Connection closing = connection;
  closing.local_socket.held = true;
  if (!IsStopped(ClosingTraversal(evaluator, closing, settings).OfPeerReset())) {
    later.disposition = Disposition::kUnknown;
    later.reason = "whether the reset comes before close() has let go of the socket, which is chance";
  }
  return later;
}

TraversalResult EvaluateResetAnswer(ChainEvaluator& evaluator, const Connection& connection, PacketKind kind,
                                    PacketTracking rejected, const PacketPathSettings& settings) {
  auto unread = BecauseUnread(evaluator.GetRuleset(), connection.family);
  return unread
             ? *std::move(unread)
             : ClosingTraversal(evaluator, connection, settings).OfAnswerTo(kind, rejected, PacketTracking::kNoEntry);
}

TraversalResult EvaluateTrackedPacket(ChainEvaluator& evaluator, const Connection& connection, PacketKind kind,
                                      const PacketPathSettings& settings) {
  auto unread = BecauseUnread(evaluator.GetRuleset(), connection.family);
  PacketPathSettings listed = settings;
  listed.entry_is_listed = true;
  return unread ? *std::move(unread) : ClosingTraversal(evaluator, connection, listed).OfTracked(kind);
}

TraversalResult EvaluateTrackedLastAck(ChainEvaluator& evaluator, const Connection& connection,
                                       const PacketPathSettings& settings) {
  auto unread = BecauseUnread(evaluator.GetRuleset(), connection.family);
  PacketPathSettings listed = settings;
  listed.entry_is_listed = true;
  return unread ? *std::move(unread)
                : ClosingTraversal(evaluator, connection, listed).OfLastAck(PacketTracking::kEstablished);
}

}  // namespace finwait::firewall::eval
