#include "exporter/diagnosis/other_namespaces.h"

#include <algorithm>
#include <array>
#include <utility>

#include "exporter/diagnosis/evaluation_rounds.h"

namespace finwait::diagnosis {
namespace {

// Packets between two ends in one namespace never reach this host's hooks.
bool StaysInside(const kernel::TcpSocket& socket) {
  return socket.local.address.IsLoopback() || socket.local.address == socket.peer.address;
}

// Its entry in the table of its own namespace; unknown where nobody has asked.
kernel::Tracking OwnTrackingOf(const sources::ForeignLiveSockets& live, std::size_t position) {
  return position < live.own_tracking.size() ? live.own_tracking[position] : kernel::Tracking::kUnknown;
}

// A nat rule of this host's that surely translates the connection needs its entry: what it concerns passes conntrack
// here, although no entry was seen.
bool IsTranslatedByRules(CloseEvaluator& evaluator, const ForwardedConnection& forwarded) {
  if (PassesNoHook(forwarded)) {
    return false;
  }
  const firewall::eval::Connection connection = ConnectionThrough(forwarded, false, evaluator.Packets().Facts());
  return WhyItMayPassBy(connection) == nullptr &&
         evaluator.Packets().TranslationOf(connection, nullptr).Any() == firewall::eval::Tristate::kYes;
}

// Whether this host loses a FIN that a socket's own namespace lets out, and which is therefore lost before anything is
// lost of what answers it: what becomes of that in the namespace does not come to it.
bool IsDecidedOnTheWay(Fate own, Fate here) {
  const bool leaves = own == Fate::kAckDropped || own == Fate::kPeerFinDropped || own == Fate::kPeerDecides;
  return leaves && (here == Fate::kFinDropped || here == Fate::kNatLost);
}

// Whether this host's conntrack has a part in the connection, and said whether it has an entry.
bool IsAskedHere(const kernel::TcpSocket& socket, const OtherContext& context) {
  return !StaysInside(socket) && socket.entry.tracking != kernel::Tracking::kUnknown &&
         context.conntrack_active[socket.local.address.Family()];
}

template <typename Numbers>
void AddEach(const Numbers& more, Numbers& sum) {
  for (std::size_t i = 0; i < sum.size(); ++i) {
    sum[i] += more[i];
  }
}

}  // namespace

ForwardedConnection OtherNamespaces::ConnectionOf(const kernel::TcpSocket& socket,
                                                  std::uint64_t network_namespace) const {
  ForwardedConnection connection;
  connection.local = socket.local;
  connection.peer = socket.peer;
  connection.tracked =
      tracked_.contains(network_namespace) ? firewall::eval::Tristate::kYes : firewall::eval::Tristate::kUnknown;
  if (socket.opened_here) {
    connection.opened_by = *socket.opened_here ? firewall::eval::OpenedBy::kLocal : firewall::eval::OpenedBy::kPeer;
  }
  connection.peer_has_closed = PeerHasClosed(socket.state);
  connection.sends_first = socket.SendsBeforeFin();
  connection.multipath =
      socket.multipath ? firewall::packet::TristateOf(*socket.multipath) : firewall::eval::Tristate::kUnknown;
  connection.window_closed = socket.timer == kernel::SocketTimer::kProbe;
  if (const auto way = host_sides_.find(network_namespace); way != host_sides_.end()) {
    connection.host_side = way->second;
  }
  return connection;
}

bool OtherNamespaces::TakeInHostSides(const sources::NetworkNamespacesSample& sample) {
  std::map<std::uint64_t, HostSide> host_sides;
  for (const sources::OtherNamespace& one : sample.namespaces) {
    if (const auto host_side = one.joined ? HostSideOf(*one.joined) : std::nullopt) {
      host_sides.emplace(one.id, *host_side);
    }
  }
  if (host_sides == host_sides_) {
    return false;
  }
  host_sides_ = std::move(host_sides);
  return true;
}

void OtherNamespaces::TakeInLive(const sources::NetworkNamespacesSample& sample) {
  live_ = sample.live;
  connections_.Update(live_->sockets, live_->taken_at);
  memo_.Retain(live_->sockets);
  with_entry_memo_.Retain(live_->sockets);
  own_hops_.Retain(*live_);
  std::set<std::uint64_t> to_this_host;
  std::map<std::uint64_t, bool> may_pass_by;
  for (std::size_t i = 0; i < live_->sockets.Size(); ++i) {
    const std::uint64_t cookie = live_->sockets.Cookie(i);
    if (to_this_host_.contains(cookie)) {
      to_this_host.insert(cookie);
    }
    if (const auto known = may_pass_by_.find(cookie); known != may_pass_by_.end()) {
      may_pass_by.insert(*known);
    }
  }
  to_this_host_ = std::move(to_this_host);
  may_pass_by_ = std::move(may_pass_by);
  std::set<std::uint64_t> tracked;
  for (std::size_t i = 0; i < live_->namespaces.size(); ++i) {
    const std::uint64_t network_namespace = live_->namespaces[i];
    if (live_->sockets.TrackingOf(i) == kernel::Tracking::kTracked || tracked_.contains(network_namespace)) {
      tracked.insert(network_namespace);
    }
  }
  // What is known of a namespace without any connection now stays known as long as the namespace is there.
  for (const sources::OtherNamespace& one : sample.namespaces) {
    if (tracked_.contains(one.id)) {
      tracked.insert(one.id);
    }
  }
  tracked_ = std::move(tracked);
}

void OtherNamespaces::Evaluate(const OtherContext& context) {
  std::vector<std::size_t> waiting;
  std::set<std::uint64_t> represented;
  for (std::size_t i = 0; i < live_->namespaces.size(); ++i) {
    const kernel::TcpSocket socket = live_->sockets[i];
    if (!socket.IsOpen() || StaysInside(socket)) {
      continue;
    }
    const bool untracked = socket.entry.tracking == kernel::Tracking::kUntracked;
    if (untracked ||
        (socket.entry.tracking == kernel::Tracking::kTracked && represented.insert(live_->namespaces[i]).second)) {
      waiting.push_back(i);
    }
  }
  std::vector<std::size_t> with_entry = DoubtfulWithEntry(*context.evaluator);
  const CpuStopwatch stopwatch;
  std::size_t known_tracked = 0;
  do {  // the evaluation itself may tell that a namespace is tracked, by a nat rule
    known_tracked = tracked_.size();
    DoubtJudgedUntracked();
    std::vector<std::size_t> unsettled = waiting;
    EvaluateInRounds(*context.evaluator, context.resolver, [&] {
      EvaluateRound(stopwatch, context, unsettled);
      EvaluateRoundWithEntry(stopwatch, context, with_entry);
    });
  } while (tracked_.size() != known_tracked);
}

void OtherNamespaces::EvaluateRound(const CpuStopwatch& stopwatch, const OtherContext& context,
                                    std::vector<std::size_t>& waiting) {
  firewall::facts::FactQuery& facts = context.evaluator->Packets().Facts();
  std::vector<std::size_t> missing;
  for (const std::size_t i : waiting) {
    const kernel::TcpSocket socket = live_->sockets[i];
    const auto found = connections_.Find(socket.cookie);
    const ConnectionHistory* history = found ? &*found : nullptr;
    if (memo_.Find(socket, history, facts.Store())) {
      continue;
    }
    if (stopwatch.Elapsed() >= context.evaluation || facts.Noted().size() >= kNeedsInARound) {
      missing.push_back(i);
      continue;
    }
    facts.TakeHungOn();
    if (!tracked_.contains(live_->namespaces[i]) &&
        IsTranslatedByRules(*context.evaluator, ConnectionOf(socket, live_->namespaces[i]))) {
      tracked_.insert(live_->namespaces[i]);
    }
    const PacketEvaluator::RulesAlone scope(context.evaluator->Packets(),
                                            socket.entry.tracking == kernel::Tracking::kTracked);
    const ForwardedOutcome outcome =
        EvaluateForwardedClose(*context.evaluator, ConnectionOf(socket, live_->namespaces[i]), history);
    NotePassage(i, outcome);
    memo_.Remember(socket, history, outcome, facts.TakeHungOn(), facts.Store().Now());
    if (outcome.incomplete) {
      missing.push_back(i);
    }
  }
  waiting = std::move(missing);
}

void OtherNamespaces::NotePassage(std::size_t position, const ForwardedOutcome& outcome) {
  const std::uint64_t cookie = live_->sockets.Cookie(position);
  if (outcome.passage == HostPassage::kInput) {
    to_this_host_.insert(cookie);
  } else {
    to_this_host_.erase(cookie);
  }
  if (outcome.may_bypass_tracking) {
    may_pass_by_[cookie] = tracked_.contains(live_->namespaces[position]);
  } else {
    may_pass_by_.erase(cookie);
  }
}

void OtherNamespaces::DoubtJudgedUntracked() {
  for (std::size_t i = 0; !may_pass_by_.empty() && i < live_->namespaces.size(); ++i) {
    const auto known = may_pass_by_.find(live_->sockets.Cookie(i));
    if (known != may_pass_by_.end() && !known->second && tracked_.contains(live_->namespaces[i])) {
      memo_.Doubt(known->first);
    }
  }
}

// Nearly all rulesets let pass what has an entry, and then one answer holds for all: asked once for a sample.
std::vector<std::size_t> OtherNamespaces::DoubtfulWithEntry(CloseEvaluator& evaluator) const {
  const bool any_in_vrf =
      std::ranges::any_of(host_sides_, [](const auto& one) { return one.second.device.vrf.has_value(); });
  std::array<std::optional<bool>, 4> all_clean;  // by family, and whether the peer has closed
  std::vector<std::size_t> doubtful;
  for (std::size_t i = 0; i < live_->namespaces.size(); ++i) {
    if (live_->sockets.TrackingOf(i) != kernel::Tracking::kTracked) {
      continue;
    }
    const kernel::TcpSocket socket = live_->sockets[i];
    if (!socket.IsOpen() || StaysInside(socket)) {
      continue;
    }
    const IpFamily family = socket.local.address.Family();
    const bool peer_has_closed = PeerHasClosed(socket.state);
    std::optional<bool>& clean = all_clean[static_cast<std::size_t>(family) * 2 + (peer_has_closed ? 1 : 0)];
    if (!clean) {
      clean = !any_in_vrf && AllTrackedForwardedAreClean(evaluator, family, peer_has_closed);
    }
    if (!*clean) {
      doubtful.push_back(i);
    }
  }
  return doubtful;
}

void OtherNamespaces::EvaluateRoundWithEntry(const CpuStopwatch& stopwatch, const OtherContext& context,
                                             std::vector<std::size_t>& waiting) {
  firewall::facts::FactQuery& facts = context.evaluator->Packets().Facts();
  std::vector<std::size_t> missing;
  for (const std::size_t i : waiting) {
    const kernel::TcpSocket socket = live_->sockets[i];
    if (with_entry_memo_.Find(socket, nullptr, facts.Store())) {
      continue;
    }
    if (stopwatch.Elapsed() >= context.evaluation || facts.Noted().size() >= kNeedsInARound) {
      missing.push_back(i);
      continue;
    }
    const auto found = connections_.Find(socket.cookie);
    facts.TakeHungOn();
    const ForwardedOutcome outcome = EvaluateTrackedForwardedClose(
        *context.evaluator, ConnectionOf(socket, live_->namespaces[i]), found ? &*found : nullptr);
    if (WouldStick(outcome.fate)) {
      NotePassage(i, outcome);
    }
    with_entry_memo_.Remember(socket, nullptr, outcome, facts.TakeHungOn(), facts.Store().Now());
    if (outcome.incomplete) {
      missing.push_back(i);
    }
  }
  waiting = std::move(missing);
}

void OtherNamespaces::CountLive(const sources::NetworkNamespacesSample& sample, const OtherContext& context) {
  live_summary_ = LiveSummary();
  AtRiskList list(LiveSummary::kMostListed);
  for (std::size_t i = 0; i < live_->namespaces.size(); ++i) {
    if (live_->sockets[i].IsOpen() && !to_this_host_.contains(live_->sockets.Cookie(i))) {
      ++live_summary_.open;
      CountOpen(i, context, list);
    }
  }
  const std::vector<AtRiskList::Listed> listed = list.Take();
  live_summary_.each_stood_for = list.IsComplete();
  EvaluateInRounds(*context.evaluator, context.resolver, [&] {
    live_summary_.sockets.clear();
    for (const AtRiskList::Listed& one : listed) {
      AtRiskSocket& described = live_summary_.sockets.emplace_back(
          one.with_entry ? DescribedWithEntry(one.position, context) : Described(one.position, context));
      described.stands_for = one.stands_for;
      described.network_namespace = live_->namespaces[one.position];
      described.owner = OwnerOf(&sample, HolderOf(described.socket, described.network_namespace));
    }
  });
}

void OtherNamespaces::CountOpen(std::size_t position, const OtherContext& context, AtRiskList& list) {
  const bool untracked = OwnTrackingOf(*live_, position) == kernel::Tracking::kUntracked;
  if (!HasOwnHop(position)) {
    CountHere(position, false, context, list);
    return;
  }
  const auto own = own_hops_.FateOf(live_->namespaces[position], live_->sockets[position]);
  if (!untracked) {
    live_summary_.any_would_stick = live_summary_.any_would_stick || (own && WouldStick(*own));
    CountHere(position, false, context, list);
  } else if (own && WouldStick(*own) && !IsDecidedOnTheWay(*own, FateHere(position, context))) {
    // Its own namespace decides: what does not leave it, or is not let in, this host has no part in.
    CountUntracked(position);
    CountAtRisk(position, *own);
    live_summary_.any_would_stick = true;
    list.Add(position, *own, 0, false);
  } else {
    live_summary_.unevaluated += own ? 0 : 1;
    CountHere(position, own.value_or(Fate::kUnknown) == Fate::kUnknown, context, list);
  }
}

Fate OtherNamespaces::FateHere(std::size_t position, const OtherContext& context) {
  const kernel::TcpSocket socket = live_->sockets[position];
  if (socket.entry.tracking == kernel::Tracking::kTracked) {
    return FateWithEntry(socket, context);
  }
  const auto found = connections_.Find(socket.cookie);
  const ConnectionHistory* history = found ? &*found : nullptr;
  if (!IsAskedHere(socket, context) || !IsLostHere(socket, position, history)) {
    return Fate::kClean;
  }
  return memo_.FindProvisional(socket, history, context.evaluator->Packets().Facts().Store()).value_or(Fate::kClean);
}

Fate OtherNamespaces::FateWithEntry(const kernel::TcpSocket& socket, const OtherContext& context) const {
  return IsAskedHere(socket, context) && socket.entry.tracking == kernel::Tracking::kTracked
             ? with_entry_memo_.Find(socket, nullptr, context.evaluator->Packets().Store()).value_or(Fate::kClean)
             : Fate::kClean;
}

void OtherNamespaces::CountHere(std::size_t position, bool own_unknown, const OtherContext& context, AtRiskList& list) {
  const kernel::TcpSocket socket = live_->sockets[position];
  const bool asked_here = IsAskedHere(socket, context);
  if (!asked_here && !own_unknown) {
    return;
  }
  firewall::facts::FactQuery& facts = context.evaluator->Packets().Facts();
  const auto found = connections_.Find(socket.cookie);
  const ConnectionHistory* history = found ? &*found : nullptr;
  auto fate = memo_.FindProvisional(socket, history, facts.Store());
  if (asked_here && socket.entry.tracking == kernel::Tracking::kTracked) {
    const bool translated = history != nullptr && history->Translated();
    live_summary_.translated += translated ? 1 : 0;
    live_summary_.any_would_stick = live_summary_.any_would_stick || translated || (fate && WouldStick(*fate));
  }
  if (const Fate now = FateWithEntry(socket, context); WouldStick(now)) {
    live_summary_.any_would_stick = true;
    if (own_unknown) {
      CountUntracked(position);
    }
    CountAtRisk(position, now, true);
    const bool peer_has_closed = socket.state == kernel::TcpState::kCloseWait;
    live_summary_.would_stick_close_wait += now != Fate::kPeerDecides && peer_has_closed ? 1 : 0;
    list.Add(position, now, with_entry_memo_.FindSite(socket, nullptr, facts.Store()), true);
    return;
  }
  const bool lost_here = asked_here && IsLostHere(socket, position, history);
  if (!lost_here && !own_unknown) {
    live_summary_.never_tracked_elsewhere += socket.entry.tracking == kernel::Tracking::kUntracked ? 1 : 0;
    return;  // never tracked is not lost: a BPF program may carry its packets past this host's conntrack
  }
  CountUntracked(position);
  live_summary_.unevaluated += lost_here && !fate ? 1 : 0;
  const bool own_decides = own_unknown && (!lost_here || !fate || !WouldStick(*fate));
  if (own_decides) {
    fate = Fate::kUnknown;  // what its own namespace does to its FIN cannot be told
  }
  const Fate at_risk = fate.value_or(Fate::kUnknown);
  if (!CountAtRisk(position, at_risk)) {
    return;
  }
  live_summary_.any_unknown = live_summary_.any_unknown || at_risk == Fate::kUnknown;
  live_summary_.any_would_stick = live_summary_.any_would_stick || WouldStick(at_risk);
  if (WouldStick(at_risk) && at_risk != Fate::kPeerDecides) {
    live_summary_.would_stick_close_wait += socket.state == kernel::TcpState::kCloseWait ? 1 : 0;
    live_summary_.ends.Add(history != nullptr ? *history : ConnectionHistory(), context.sysctl);
  }
  list.Add(position, at_risk, own_decides ? 0 : memo_.FindSite(socket, history, facts.Store()), false);
}

void OtherNamespaces::CountUntracked(std::size_t position) {
  ++(live_->sockets[position].state == kernel::TcpState::kEstablished ? live_summary_.untracked_established
                                                                      : live_summary_.untracked_close_wait);
}

bool OtherNamespaces::CountAtRisk(std::size_t position, Fate fate, bool with_entry) {
  const auto* at_risk = std::find(std::begin(kFatesAtRisk), std::end(kFatesAtRisk), fate);
  if (at_risk == std::end(kFatesAtRisk)) {
    return false;
  }
  ++live_summary_.at_risk[static_cast<std::size_t>(at_risk - std::begin(kFatesAtRisk))];
  live_summary_.at_risk_with_entry[static_cast<std::size_t>(at_risk - std::begin(kFatesAtRisk))] += with_entry ? 1 : 0;
  ++live_summary_.at_risk_by_holder[HolderOf(live_->sockets[position], live_->namespaces[position])];
  return true;
}

bool OtherNamespaces::IsLostHere(const kernel::TcpSocket& socket, std::size_t position,
                                 const ConnectionHistory* history) const {
  return socket.entry.tracking == kernel::Tracking::kUntracked &&
         ((history != nullptr && history->SeenTracked()) || IsKnownTracked(socket, position));
}

bool OtherNamespaces::IsKnownTracked(const kernel::TcpSocket& socket, std::size_t position) const {
  const std::uint64_t network_namespace = live_->namespaces[position];
  return tracked_.contains(network_namespace) && !may_pass_by_.contains(socket.cookie) &&
         !PassesNoHook(ConnectionOf(socket, network_namespace));
}

bool OtherNamespaces::HasOwnHop(std::size_t position) const {
  return own_hops_.Has(live_->namespaces[position]) && !StaysInside(live_->sockets[position]) &&
         OwnTrackingOf(*live_, position) != kernel::Tracking::kUnknown;
}

void OtherNamespaces::EvaluateOwn(const OtherContext& context) {
  std::vector<std::size_t> positions;
  // What has lost its entry first: what has one is told in time.
  for (const kernel::Tracking tracking : {kernel::Tracking::kUntracked, kernel::Tracking::kTracked}) {
    for (std::size_t i = 0; !own_hops_.IsEmpty() && i < live_->namespaces.size(); ++i) {
      if (OwnTrackingOf(*live_, i) == tracking && live_->sockets[i].IsOpen() && HasOwnHop(i)) {
        positions.push_back(i);
      }
    }
  }
  own_hops_.Evaluate(*live_, std::move(positions), context.evaluation);
}

AtRiskSocket OtherNamespaces::Described(std::size_t position, const OtherContext& context) {
  const kernel::TcpSocket socket = live_->sockets[position];
  const auto found = connections_.Find(socket.cookie);
  const ConnectionHistory* history = found ? &*found : nullptr;
  const auto here = [&] {
    return EvaluateForwardedClose(*context.evaluator, ConnectionOf(socket, live_->namespaces[position]), history);
  };
  if (OwnTrackingOf(*live_, position) == kernel::Tracking::kUntracked) {
    const auto own = own_hops_.Evaluate(live_->namespaces[position], socket);
    const auto fate_here = [&] {
      return socket.entry.tracking == kernel::Tracking::kUntracked ? here().fate : FateWithEntry(socket, context);
    };
    if (own && ((WouldStick(own->fate) && !IsDecidedOnTheWay(own->fate, fate_here())) ||
                (own->fate == Fate::kUnknown && !WouldStick(fate_here())))) {
      AtRiskSocket described;  // without a place: what is advised is for this host's rules
      described.socket = socket;
      described.fate = own->fate;
      described.reason = OwnHops::WhatDecides(*own);
      return described;
    }
  }
  return DescribeOutcome(socket, history, here(), *context.evaluator);
}

AtRiskSocket OtherNamespaces::DescribedWithEntry(std::size_t position, const OtherContext& context) {
  const kernel::TcpSocket socket = live_->sockets[position];
  const ForwardedConnection connection = ConnectionOf(socket, live_->namespaces[position]);
  const auto found = connections_.Find(socket.cookie);
  const ConnectionHistory* history = found ? &*found : nullptr;
  const ForwardedOutcome outcome = EvaluateTrackedForwardedClose(*context.evaluator, connection, history);
  AtRiskSocket described = DescribeOutcome(socket, history, outcome, *context.evaluator);
  described.with_entry = true;
  if (described.site) {
    described.drops = FindForwardedDrops(*context.evaluator, connection, history);
  }
  return described;
}

const LiveSummary& OtherNamespaces::SumUpLive(const sources::NetworkNamespacesSample& sample, bool rules_changed,
                                              const OtherContext& context) {
  const bool is_new = sample.live != nullptr && sample.live != live_;
  rules_changed = TakeInHostSides(sample) || rules_changed;
  const bool own_rules_changed = own_hops_.TakeIn(sample);
  if (is_new) {
    TakeInLive(sample);
  }
  if (live_ == nullptr || context.evaluator == nullptr) {
    live_summary_ = LiveSummary();
  } else if (is_new || rules_changed || own_rules_changed || live_summary_.unevaluated > 0) {
    if (rules_changed) {
      memo_ = OutcomeMemo();
      with_entry_memo_ = OutcomeMemo();
    }
    EvaluateOwn(context);
    Evaluate(context);
    CountLive(sample, context);
  }
  live_summary_.unread_elsewhere = CountUnread(sample);
  return live_summary_;
}

std::uint64_t OtherNamespaces::CountUnread(const sources::NetworkNamespacesSample& sample) const {
  std::set<std::uint64_t> unavailable;
  std::uint64_t without_entries = 0;
  std::uint64_t unread = 0;
  for (const sources::OtherNamespace& one : sample.namespaces) {
    if (one.unavailable) {
      unavailable.insert(one.id);
    }
    unread += one.unlisted;
    for (std::size_t family = 0; sample.live == nullptr && family < one.counts.size(); ++family) {
      for (const kernel::TcpState state : {kernel::TcpState::kEstablished, kernel::TcpState::kCloseWait}) {
        without_entries += one.counts[family][static_cast<std::size_t>(state)];
      }
    }
  }
  if (sample.live == nullptr || unavailable.empty()) {
    return sample.live == nullptr ? without_entries : unread;
  }
  for (std::size_t i = 0; i < sample.live->namespaces.size(); ++i) {
    unread += unavailable.contains(sample.live->namespaces[i]) && !StaysInside(sample.live->sockets[i]) ? 1 : 0;
  }
  return unread;
}

ObservedSilence OtherNamespaces::Silence(const OtherContext& context) const {
  ObservedSilence silence;
  const bool flowtables =
      context.evaluator != nullptr && firewall::HasFlowtables(context.evaluator->Packets().GetRuleset());
  for (std::size_t i = 0; live_ != nullptr && i < live_->namespaces.size(); ++i) {
    kernel::TcpSocket socket = live_->sockets[i];
    if (!socket.IsOpen() || StaysInside(socket)) {
      continue;
    }
    const auto history = connections_.Find(socket.cookie);
    if (socket.idle) {  // it was read inside
      silence.sockets.Add(socket);
      silence.namespaces.push_back(live_->namespaces[i]);
      continue;
    }
    const auto seconds = context.sysctl != nullptr
                             ? SilenceByEntry(socket, history ? history->entry_timeout_at_most : std::nullopt,
                                              *context.sysctl, flowtables)
                             : std::nullopt;
    if (!seconds) {
      ++silence.untold;
      continue;
    }
    socket.idle = *seconds;
    silence.sockets.Add(socket);
    silence.namespaces.push_back(live_->namespaces[i]);
  }
  return silence;
}

StuckFinding OtherNamespaces::FindingOf(const sources::ForeignClosingSocket& closing, const ConnectionHistory* history,
                                        const OtherContext& context) {
  const kernel::TcpSocket& socket = closing.socket;
  if (const auto settled = stuck_.FindingOfLastTry(socket); settled || context.evaluator == nullptr) {
    return settled.value_or(StuckFinding());
  }
  if (!tracked_.contains(closing.network_namespace) &&
      IsTranslatedByRules(*context.evaluator, ConnectionOf(socket, closing.network_namespace))) {
    tracked_.insert(closing.network_namespace);
  }
  const ForwardedConnection connection = ConnectionOf(socket, closing.network_namespace);
  StuckFinding here =
      FindForwardedCause(socket, connection, {context.evaluator, history, context.sysctl, context.sites});
  const auto own = own_hops_.FindCause(closing.network_namespace, socket, closing.own_tracking, context.sysctl);
  const bool own_decides = own && !(own == Cause::kReplyDrop && here.cause == Cause::kForwardDrop);
  return own_decides ? StuckFinding{own, nullptr} : here;
}

const StuckSummary& OtherNamespaces::SumUpStuck(const sources::NetworkNamespacesSample& sample, bool is_new,
                                                SteadyClock::time_point taken_at, SteadyClock::time_point now,
                                                const OtherContext& context) {
  std::vector<kernel::TcpSocket> closing;
  closing.reserve(sample.closing.size());
  for (const sources::ForeignClosingSocket& one : sample.closing) {
    closing.push_back(one.socket);
    if (one.socket.entry.tracking == kernel::Tracking::kTracked) {
      tracked_.insert(one.network_namespace);
    }
  }
  if (is_new) {
    connections_.Observe(closing, taken_at);
  }
  std::vector<StuckSocket> stuck;
  const auto evaluate = [&] {
    stuck.clear();
    for (const sources::ForeignClosingSocket& one : sample.closing) {
      if (!IsStuck(one.socket) || StaysInside(one.socket)) {
        continue;
      }
      const auto history = connections_.Find(one.socket.cookie);
      StuckFinding finding = FindingOf(one, history ? &*history : nullptr, context);
      StuckSocket& found = stuck.emplace_back();
      found.socket = one.socket;
      found.cause = finding.cause;
      found.site = std::move(finding.site);
      found.with_entry = finding.with_entry;
      found.is_answer = finding.is_answer;
      found.history = history.value_or(ConnectionHistory());
      found.network_namespace = one.network_namespace;
    }
  };
  // What is missing for this host's part is read in each round, what is for their own namespaces' between them.
  for (int round = 0; round < kMostRounds; ++round) {
    if (context.evaluator != nullptr) {
      EvaluateInRounds(*context.evaluator, context.resolver, evaluate);
    } else {
      evaluate();
    }
    if (!own_hops_.ResolveNoted()) {
      break;
    }
  }
  if (is_new) {
    std::vector<StuckCandidate> candidates;
    candidates.reserve(stuck.size());
    for (const StuckSocket& one : stuck) {
      candidates.push_back({&one.socket, {one.cause, one.site}});
    }
    stuck_.Update(closing, candidates, taken_at);
  }
  stuck_summary_ = StuckSummary();
  stuck_summary_.total = stuck_.Counted();
  for (StuckSocket& one : stuck) {
    one.age = stuck_.Age(one.socket, now);
    one.owner = OwnerOf(&sample, HolderOf(one.socket, one.network_namespace));
    stuck_summary_.Add(std::move(one));
  }
  return stuck_summary_;
}

const StuckSummary& OtherNamespaces::Clear() {
  live_.reset();
  live_summary_ = LiveSummary();
  stuck_summary_ = StuckSummary();
  stuck_summary_.total = stuck_.Counted();
  return stuck_summary_;
}

void Add(const LiveSummary& others, LiveSummary& own) {
  own.open += others.open;
  own.untracked_established += others.untracked_established;
  own.untracked_close_wait += others.untracked_close_wait;
  AddEach(others.at_risk, own.at_risk);
  AddEach(others.at_risk_with_entry, own.at_risk_with_entry);
  own.would_stick_close_wait += others.would_stick_close_wait;
  own.translated += others.translated;
  own.ends += others.ends;
  own.any_would_stick = own.any_would_stick || others.any_would_stick;
  own.unevaluated += others.unevaluated;
  own.any_unknown = own.any_unknown || others.any_unknown;
  own.unread_elsewhere += others.unread_elsewhere;
  own.never_tracked_elsewhere += others.never_tracked_elsewhere;
  own.at_risk_by_holder.insert(others.at_risk_by_holder.begin(), others.at_risk_by_holder.end());
  // Both have a part in the list: the half that one does not need is the other's.
  const std::size_t room = LiveSummary::kMostListed - std::min(own.sockets.size(), LiveSummary::kMostListed / 2);
  const std::size_t taken = std::min(others.sockets.size(), room);
  const std::size_t kept = std::min(own.sockets.size(), LiveSummary::kMostListed - taken);
  const auto stand_for_some = [](const std::vector<AtRiskSocket>& sockets, std::size_t from) {
    return std::any_of(sockets.begin() + static_cast<std::ptrdiff_t>(from), sockets.end(),
                       [](const AtRiskSocket& one) { return one.stands_for > 0; });
  };
  own.each_stood_for = own.each_stood_for && others.each_stood_for && !stand_for_some(own.sockets, kept) &&
                       !stand_for_some(others.sockets, taken);
  own.sockets.resize(kept);
  own.sockets.insert(own.sockets.end(), others.sockets.begin(),
                     others.sockets.begin() + static_cast<std::ptrdiff_t>(taken));
}

void Add(const StuckSummary& others, StuckSummary& own) {
  for (std::size_t state = 0; state < own.now.size(); ++state) {
    AddEach(others.now[state], own.now[state]);
    AddEach(others.total[state], own.total[state]);
    own.oldest_seconds[state] = std::max(own.oldest_seconds[state], others.oldest_seconds[state]);
  }
  AddEach(others.undetermined, own.undetermined);
  own.sockets.insert(own.sockets.end(), others.sockets.begin(), others.sockets.end());
  std::ranges::stable_sort(own.sockets, [](const StuckSocket& a, const StuckSocket& b) { return a.age > b.age; });
}

}  // namespace finwait::diagnosis
