#include "exporter/diagnosis/forwarded_close.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "exporter/diagnosis/close_fate.h"
#include "exporter/diagnosis/connection_facts.h"

namespace finwait::diagnosis {
namespace {

using firewall::Hook;
using firewall::eval::Connection;
using firewall::eval::Disposition;
using firewall::eval::IsOutgoing;
using firewall::eval::NatEffect;
using firewall::eval::OpenedBy;
using firewall::eval::PacketKind;
using firewall::eval::PathKind;
using firewall::eval::TraversalResult;
using firewall::eval::Tristate;

constexpr const char* kNotToldMultipath =
    "its namespace has connections of Multipath TCP, which close by other packets, and whether it is one of them is "
    "told "
    "only inside (--namespaces=enter)";

OpenedBy Other(OpenedBy end) {
  return end == OpenedBy::kLocal ? OpenedBy::kPeer : end == OpenedBy::kPeer ? OpenedBy::kLocal : OpenedBy::kUnknown;
}

// What the other end calls a packet.
PacketKind Mirrored(PacketKind kind) {
  switch (kind) {
    case PacketKind::kFin:
      return PacketKind::kPeerFin;
    case PacketKind::kPeerFin:
      return PacketKind::kFin;
    case PacketKind::kData:
      return PacketKind::kAck;
    case PacketKind::kAck:
      return PacketKind::kData;
    case PacketKind::kSyn:
      return PacketKind::kPeerSyn;
    case PacketKind::kPeerSyn:
      return PacketKind::kSyn;
    case PacketKind::kRst:
      break;
  }
  return PacketKind::kPeerFin;  // INVALID as well, and no chain of a host tells the two apart often
}

// Packets of a device of one of these kinds come in by one below it, at which a flowtable may wait for them.
bool MayStandAbove(const firewall::eval::Interface& device) {
  constexpr std::string_view kAbove[] = {"bridge", "vlan", "bond", "team", "macvlan", "ppp"};
  return !device.name || !device.kind || std::ranges::find(kAbove, *device.kind) != std::end(kAbove);
}

bool IsAt(const std::vector<firewall::Device>& devices, const firewall::eval::Interface& device) {
  return std::ranges::any_of(devices, [&](const firewall::Device& one) {
    return one.prefix ? device.name->starts_with(one.name) : *device.name == one.name;
  });
}

// One connection's way through this host.
class WayThroughHost {
 public:
  enum class Entry { kIsGone, kIsThere };

  WayThroughHost(CloseEvaluator& evaluator, const ForwardedConnection& forwarded, const ConnectionHistory* history,
                 Entry entry = Entry::kIsGone)
      : evaluator_(evaluator),
        history_(history),
        had_entry_(entry == Entry::kIsThere || (history != nullptr && history->SeenTracked())),
        connection_(ConnectionThrough(forwarded, had_entry_, evaluator.Packets().Facts())),
        nat_(evaluator.Packets().TranslationOf(connection_, history)) {
    connection_.translated = nat_.Any();
    if (connection_.passage.peer_is_own && nat_.Any() == Tristate::kNo) {
      connection_ = SeenFromThisHost(forwarded);
      is_received_here_ = true;
    }
    if (entry == Entry::kIsThere && nat_.Any() != Tristate::kNo) {
      std::optional<Connection> translated = TranslatedByItsEntry(forwarded);
      is_told_ = translated.has_value();
      connection_ = translated ? *std::move(translated) : std::move(connection_);
    }
  }

  const NatEffect& Nat() const { return nat_; }
  const char* WhyItMayPassBy() const {
    return had_entry_ || is_received_here_ ? nullptr : diagnosis::WhyItMayPassBy(connection_);
  }
  std::string CarriedByIpvs() const { return evaluator_.Packets().CarriedByIpvs(connection_); }

  HostPassage Passage() const {
    return is_received_here_             ? HostPassage::kInput
           : connection_.passage.bridged ? HostPassage::kBridged
                                         : HostPassage::kForward;
  }

  TraversalResult Of(PacketKind kind) const {
    return evaluator_.Packets().EvaluatePath(connection_, is_received_here_ ? Mirrored(kind) : kind);
  }

  // Where it is received here, it is a FIN that this host sends: the same whether it comes first or later.
  TraversalResult LaterPeerFin() const {
    return is_received_here_ ? Of(PacketKind::kPeerFin) : evaluator_.Packets().EvaluatePeersLaterFin(connection_);
  }

  // Where it is received here, it is the bare ACK that this host's end receives.
  TraversalResult LastAck() const {
    return is_received_here_ ? Of(PacketKind::kData) : evaluator_.Packets().LastAck(connection_);
  }

  // Where the peer's end is here, its RST is a packet that this host sends.
  TraversalResult PeerReset() const {
    return is_received_here_ ? Of(PacketKind::kPeerFin) : evaluator_.Packets().EvaluatePeersReset(connection_);
  }

  // Where the peer's end is here, the socket here is sent its reset through loopback.
  std::optional<TraversalResult> ResetOfPeer(const TraversalResult& ack) const {
    return evaluator_.Packets().ResetOfPeer(connection_, is_received_here_ ? PacketKind::kData : PacketKind::kAck, ack);
  }

  // The same where the peer's packets of a translated connection are meant that really come.
  TraversalResult AsItComes(PacketKind kind) const {
    if (IsOutgoing(kind) || nat_.Any() == Tristate::kNo) {
      return Of(kind);
    }
    TraversalResult result;
    if (nat_.Any() == Tristate::kUnknown || history_ == nullptr || history_->translation == nullptr) {
      result.reason = "to which ends the connection was translated";
      return result;
    }
    Connection arriving = connection_;
    const kernel::Translation& wire = *history_->translation;
    const bool to_this_host = wire.local.address != connection_.local->address;
    arriving.local = wire.local;
    arriving.peer = wire.peer;
    if (to_this_host) {
      arriving.path_kind = PathKind::kLocal;
      arriving.ingress = connection_.egress;
    }
    result = evaluator_.Packets().EvaluatePath(arriving, kind);
    if (result.disposition == Disposition::kAccept) {
      result.disposition = Disposition::kDrop;
      result.reason = to_this_host ? "it is for " + wire.local.Text() + ", and nothing translates it back"
                                   : "it comes from " + wire.peer.Text() + ", which its socket does not know";
    }
    return result;
  }

  // How it closes once its data has made an entry again.
  CloseOutcome WithEntry(bool peer_has_closed) const {
    return CombineTrackedFate({[&](PacketKind kind) { return Tracked(kind); }, [&] { return TrackedLastAck(); },
                               [&](const TraversalResult& ack) { return ResetOfPeer(ack); }, peer_has_closed});
  }

  // A rule of hook forward hands connections to them: what does not pass that hook is in none.
  std::vector<firewall::FlowtableInTable> Flowtables() const {
    std::vector<firewall::FlowtableInTable> met;
    if (is_received_here_ || (connection_.passage.bridged && connection_.passage.bridge_calls_rules == Tristate::kNo)) {
      return met;
    }
    const firewall::eval::Interface unknown;
    for (firewall::FlowtableInTable& one : firewall::FlowtablesOf(evaluator_.Packets().GetRuleset())) {
      const auto meets = [&](const firewall::eval::Interface& device) {
        return MayStandAbove(device) || IsAt(one.flowtable.devices, device);
      };
      if (Covers(one.family, connection_.family) && !one.flowtable.devices.empty() &&
          (meets(connection_.ingress.value_or(unknown)) || meets(connection_.egress))) {
        met.push_back(std::move(one));
      }
    }
    return met;
  }

  TraversalResult Tracked(PacketKind kind) const {
    if (!is_received_here_) {
      return IfTold(evaluator_.Packets().EvaluateTrackedFromPeer(connection_, kind));
    }
    return IfTold(kind == PacketKind::kAck ? evaluator_.Packets().TrackedLastAck(connection_)
                                           : evaluator_.Packets().EvaluateTrackedPath(connection_, Mirrored(kind)));
  }

  // The connection that this host passes on; null where an end of it is its own, or that is not known.
  const Connection* PassedOn() const { return is_told_ && !is_received_here_ ? &connection_ : nullptr; }

 private:
  TraversalResult TrackedLastAck() const {
    return IfTold(is_received_here_ ? evaluator_.Packets().EvaluateTrackedPath(connection_, PacketKind::kAck)
                                    : evaluator_.Packets().TrackedLastAck(connection_));
  }

  // Of a packet that has its entry. What routing refuses is no rule's doing, and no entry's.
  TraversalResult IfTold(TraversalResult result) const {
    const bool by_routing = IsLost(result.disposition) && !result.location && !result.hook;
    if (!is_told_ || by_routing) {
      result.disposition = Disposition::kUnknown;
    }
    return result;
  }

  // As its packets go on their way to the peer beyond. Nothing where nobody has seen the entry; nor where that peer is
  // this host itself or behind one bridge with it: what passes where then is not followed.
  std::optional<Connection> TranslatedByItsEntry(const ForwardedConnection& forwarded) const {
    if (nat_.Any() != Tristate::kYes || history_ == nullptr || history_->translation == nullptr ||
        connection_.passage.bridged) {
      return std::nullopt;
    }
    ForwardedConnection onward = forwarded;
    onward.peer = history_->translation->peer;
    Connection through = ConnectionThrough(onward, had_entry_, evaluator_.Packets().Facts());
    if (through.passage.peer_is_own || through.passage.bridged) {
      return std::nullopt;
    }
    through.peer = forwarded.peer;
    through.beyond_nat = Connection::BeyondNat{history_->translation->local, history_->translation->peer};
    return through;
  }

  Connection SeenFromThisHost(const ForwardedConnection& forwarded) const {
    Connection own = ConnectionOf(ListedSocket(forwarded.peer, forwarded.local), evaluator_.Packets().Facts());
    own.ingress = connection_.ingress;
    own.translated = Tristate::kNo;
    own.opened_by = forwarded.opened_by == OpenedBy::kUnknown ? own.opened_by : Other(forwarded.opened_by);
    return own;
  }

  CloseEvaluator& evaluator_;
  const ConnectionHistory* history_;
  bool had_entry_;
  Connection connection_;  // is_received_here_: as this host's own end has it
  NatEffect nat_;
  bool is_received_here_ = false;
  bool is_told_ = true;  // what its entry makes of its packets
};

// A FIN that is no longer translated is for whatever its socket's peer is called here: what this host does with it then
// is the translation's doing, and no rule to be changed.
bool IsMisroutedByNat(const CloseOutcome& outcome, const NatEffect& nat) {
  return outcome.fate == Fate::kFinDropped && nat.Any() != Tristate::kNo &&
         (!outcome.fin.location || outcome.fin.hook == Hook::kInput);
}

// Why one is stuck whose entry is there.
StuckFinding FindTrackedCause(const kernel::TcpSocket& socket, const ForwardedConnection& forwarded,
                              const StuckContext& context) {
  ConnectionHistory history = context.history != nullptr ? *context.history : ConnectionHistory();
  history.entry_end = ExpiryReason::kStillThere;
  history.source_nat = socket.entry.source_nat;
  history.destination_nat = socket.entry.destination_nat;
  history.translation = socket.entry.translation;
  const WayThroughHost way(*context.evaluator, forwarded, &history, WayThroughHost::Entry::kIsThere);
  const TraversalResult fin = way.Tracked(PacketKind::kFin);
  const bool is_answer = !IsLost(fin.disposition);
  const TraversalResult lost = is_answer ? way.Tracked(PacketKind::kAck) : fin;
  if (!IsLost(lost.disposition)) {
    return {Cause::kNoReply, nullptr};
  }
  // From Linux 6.14 on a flowtable carries FINs, too (NF_FLOW_CLOSING): whether this one met the rule is not known.
  if (!way.Flowtables().empty()) {
    return {};
  }
  StuckFinding finding =
      is_answer ? AnswerDroppedAt(lost, Cause::kForwardDrop, context) : DroppedAt(lost, Cause::kForwardDrop, context);
  finding.with_entry = true;
  return finding;
}

}  // namespace

ForwardedOutcome EvaluateForwardedClose(CloseEvaluator& evaluator, const ForwardedConnection& forwarded,
                                        const ConnectionHistory* history) {
  ForwardedOutcome outcome;
  if (PassesNoHook(forwarded)) {
    outcome.may_bypass_tracking = true;
    outcome.reason = kNoHostSide;
    return outcome;
  }
  const std::size_t missed = evaluator.Packets().Facts().Missed();
  const WayThroughHost way(evaluator, forwarded, history);
  const auto combine = [&](bool multipath) {
    return CombineFateWithPrograms({[&](PacketKind kind) { return way.Of(kind); }, [&] { return way.LaterPeerFin(); },
                                    [&] { return way.LastAck(); }, [&] { return way.PeerReset(); },
                                    [&](const TraversalResult& ack) { return way.ResetOfPeer(ack); },
                                    [&] { return way.Nat(); }, [&] { return way.WithEntry(forwarded.peer_has_closed); },
                                    forwarded.peer_has_closed, forwarded.sends_first || multipath, multipath,
                                    [&] { return firewall::packet::TristateOf(forwarded.window_closed); }},
                                   forwarded.local.address.Family(), evaluator.Packets());
  };
  static_cast<CloseOutcome&>(outcome) = combine(forwarded.multipath == Tristate::kYes);
  if (forwarded.multipath == Tristate::kUnknown && combine(true).fate != outcome.fate) {
    outcome.fate = Fate::kUnknown;
    outcome.reason = kNotToldMultipath;
  }
  outcome.passage = way.Passage();
  if (std::string reason = way.CarriedByIpvs(); !reason.empty()) {
    outcome.fate = Fate::kUnknown;
    outcome.reason = std::move(reason);
    outcome.incomplete = false;
    return outcome;
  }
  if (IsMisroutedByNat(outcome, way.Nat())) {
    outcome.fate = way.Nat().Any() == Tristate::kYes ? Fate::kNatLost : Fate::kUnknown;
    outcome.reason = way.Nat().reason;
  }
  const bool seen = history != nullptr && history->SeenTracked();
  const char* why = way.WhyItMayPassBy();
  if (why == nullptr && !seen && forwarded.tracked != Tristate::kYes) {
    why = "no connection of its namespace was seen in this host's conntrack table: its packets may pass it by";
  }
  if (why != nullptr && outcome.fate != Fate::kClean) {
    outcome.may_bypass_tracking = true;
    if (WouldStick(outcome.fate)) {
      outcome.fate = Fate::kUnknown;
      outcome.reason = why;
    }
  }
  outcome.incomplete = evaluator.Packets().Facts().Missed() != missed;
  evaluator.NameMissingFact(missed, outcome);
  return outcome;
}

TraversalResult EvaluateForwardedPacket(CloseEvaluator& evaluator, const ForwardedConnection& forwarded,
                                        const ConnectionHistory* history, PacketKind kind) {
  return WayThroughHost(evaluator, forwarded, history).AsItComes(kind);
}

std::vector<firewall::FlowtableInTable> FlowtablesOnTheWay(CloseEvaluator& evaluator,
                                                           const ForwardedConnection& forwarded,
                                                           const ConnectionHistory* history) {
  return PassesNoHook(forwarded) ? std::vector<firewall::FlowtableInTable>()
                                 : WayThroughHost(evaluator, forwarded, history).Flowtables();
}

ForwardedOutcome EvaluateTrackedForwardedClose(CloseEvaluator& evaluator, const ForwardedConnection& forwarded,
                                               const ConnectionHistory* history) {
  ForwardedOutcome outcome;
  outcome.fate = Fate::kClean;
  if (PassesNoHook(forwarded)) {
    outcome.may_bypass_tracking = true;
    return outcome;
  }
  const std::size_t missed = evaluator.Packets().Facts().Missed();
  const WayThroughHost way(evaluator, forwarded, history, WayThroughHost::Entry::kIsThere);
  outcome.passage = way.Passage();
  if (way.CarriedByIpvs().empty()) {
    static_cast<CloseOutcome&>(outcome) = way.WithEntry(forwarded.peer_has_closed);
    if (outcome.fate != Fate::kClean && !way.Flowtables().empty()) {
      outcome.fate = Fate::kClean;
    }
  }
  outcome.incomplete = evaluator.Packets().Facts().Missed() != missed;
  return outcome;
}

// What a bridge passes on meets rules of bridges that nothing else meets.
bool AllTrackedForwardedAreClean(CloseEvaluator& evaluator, IpFamily family, bool peer_has_closed) {
  const auto& tables = evaluator.Packets().GetRuleset().tables;
  return std::ranges::none_of(
             tables, [](const firewall::Table& table) { return table.family == firewall::TableFamily::kBridge; }) &&
         evaluator.Packets().AllTrackedAreClean(family, PathKind::kForwarded, peer_has_closed, false);
}

ClosingDrops FindForwardedDrops(CloseEvaluator& evaluator, const ForwardedConnection& forwarded,
                                const ConnectionHistory* history) {
  const WayThroughHost way(evaluator, forwarded, history, WayThroughHost::Entry::kIsThere);
  const Connection* connection = way.PassedOn();
  return connection != nullptr ? FindClosingDrops(evaluator.Packets(), *connection, forwarded.peer_has_closed, true)
                               : ClosingDrops();
}

StuckFinding FindForwardedCause(const kernel::TcpSocket& socket, const ForwardedConnection& forwarded,
                                const StuckContext& context) {
  if (socket.timer == kernel::SocketTimer::kProbe) {
    // A closed window, or a FIN that its own namespace did not let out.
    return {socket.send_window == 0U ? std::optional(Cause::kZeroWindow) : std::nullopt, nullptr};
  }
  if (socket.entry.tracking == kernel::Tracking::kUnknown || context.evaluator == nullptr || PassesNoHook(forwarded)) {
    return {};
  }
  if (!WayThroughHost(*context.evaluator, forwarded, context.history).CarriedByIpvs().empty()) {
    return {};
  }
  if (socket.entry.tracking == kernel::Tracking::kTracked) {
    return FindTrackedCause(socket, forwarded, context);
  }
  if (context.history != nullptr && context.history->closed_tracked) {
    return {Cause::kNoReply, nullptr};
  }
  if ((context.history == nullptr || !context.history->lost_while_open) &&
      EntryMayHaveOutlivedTheFin(socket, context.sysctl)) {
    return {};
  }
  return FindCauseOf(EvaluateForwardedClose(*context.evaluator, forwarded, context.history), Cause::kForwardDrop,
                     Cause::kForwardDrop, context);
}

}  // namespace finwait::diagnosis
