#include "exporter/diagnosis/class_survey.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "collectors/firewall/model/references.h"
#include "exporter/diagnosis/drop_site.h"
#include "exporter/diagnosis/evaluation_rounds.h"

namespace finwait::diagnosis {
namespace {

using firewall::classes::ClassAnswer;
using firewall::classes::Leaf;
using firewall::classes::ObservedEnds;
using firewall::eval::Connection;
using firewall::eval::NatEffect;
using firewall::eval::PacketKind;
using firewall::eval::PathKind;
using firewall::eval::TraversalResult;
using firewall::eval::Tristate;
using firewall::packet::ConnectionClass;
using firewall::packet::Dimension;
using firewall::packet::IntervalSet;
using firewall::packet::NumberOf;
using firewall::packet::Wide;

// For finding out which rules are reached, once classes are known.
constexpr auto kReachingLimit = std::chrono::seconds(5);

constexpr PacketKind kClosing[] = {PacketKind::kFin, PacketKind::kRst, PacketKind::kData, PacketKind::kAck,
                                   PacketKind::kPeerFin};

void LostAt(const TraversalResult& result, PacketKind kind, ClassOutcome& outcome) {
  outcome.packet = kind;
  outcome.rule = result.location;
  outcome.hook = result.hook;
  outcome.rejects = result.disposition == firewall::eval::Disposition::kReject;
  outcome.by_translation = !result.reason.empty() && result.state != firewall::eval::PacketTracking::kNoEntry;
  outcome.reason = result.reason;
  if (outcome.by_translation) {
    outcome.rule.reset();  // of thousands of services each has its own
  }
}

// Of one connection either loss is the same; of a class some may not even come to be misrouted.
ClassOutcome OutcomeOfClass(const CloseOutcome& close) {
  ClassOutcome outcome = OutcomeOf(close);
  if (close.fate == Fate::kNatLost && close.fin.disposition == firewall::eval::Disposition::kUnknown) {
    outcome.fate = Fate::kUnknown;
    outcome.reason = "it is lost, by its translation or before by a rule: " + close.fin.reason;
  }
  return outcome;
}

bool Holds(const IntervalSet& set, Wide value) { return !set.Intersection(IntervalSet::Between(value, value)).Empty(); }

// `all`, by whether the way to the peer is a bridge: which hooks packets pass hangs on that, before any rule asks for
// the device. Empty classes are left out.
std::vector<ConnectionClass> ByBridge(const ConnectionClass& all) {
  std::vector<IntervalSet::Interval> bridges;
  for (std::size_t i = 0; i < all.routes->size(); ++i) {
    if ((*all.routes)[i].device.kind == "bridge") {
      bridges.push_back({i, i});
    }
  }
  if (bridges.empty()) {
    return {all};
  }
  const IntervalSet those = IntervalSet::Union(std::move(bridges));
  std::vector<ConnectionClass> parts = {all.Within(Dimension::kRoute, those),
                                        all.Within(Dimension::kRoute, all.Of(Dimension::kRoute).Difference(those))};
  std::erase_if(parts, [](const ConnectionClass& part) { return part.Empty(); });
  return parts;
}

// One family's space, in the making.
class Survey {
 public:
  Survey(CloseEvaluator& evaluator, firewall::facts::Resolver* resolver) : evaluator_(evaluator), resolver_(resolver) {}

  void Divide(const SpacePart& part, const firewall::classes::Limits& limits, FamilySurvey& result) {
    const auto evaluate = [&](const ConnectionClass& of, ObservedEnds& ends) { return Evaluate(part.path, of, ends); };
    firewall::classes::Division division = firewall::classes::Divide(ByBridge(part.connections), evaluate, limits);
    Merge(division.leaves);
    const bool said =
        std::find(result.incomplete.begin(), result.incomplete.end(), division.incomplete) != result.incomplete.end();
    if (!division.incomplete.empty() && !said) {
      result.incomplete.push_back(std::move(division.incomplete));
    }
    undivided_ = undivided_ || division.undivided;
    for (Leaf& leaf : division.leaves) {
      SurveyedClass surveyed;
      surveyed.path = part.path;
      surveyed.connections = std::move(leaf.of);
      if (leaf.answer == firewall::classes::kNotEvaluated) {
        surveyed.outcome.reason = "it was not evaluated, as telling connections apart takes too long with these rules";
      } else {
        surveyed.outcome = *outcomes_[leaf.answer];
      }
      result.classes.push_back(std::move(surveyed));
    }
  }

  bool HasUndivided() const { return undivided_; }

  void NoteReached(const SurveyedClass& surveyed, RulesReached& reached) {
    const Connection connection = AnyOf(surveyed.path, surveyed.connections);
    evaluator_.Packets().Observe(nullptr, &reached);
    for (const PacketKind kind : kClosing) {
      evaluator_.Packets().EvaluatePath(connection, kind);
    }
    evaluator_.Packets().Observe(nullptr, nullptr);
  }

 private:
  ClassAnswer Evaluate(PathKind path, const ConnectionClass& of, ObservedEnds& ends) {
    const Connection connection = AnyOf(path, of);
    ClassOutcome outcome;
    EvaluateInRounds(evaluator_, resolver_, [&] {
      ends.Start(of);
      evaluator_.Packets().Observe(&ends, nullptr);
      outcome = OutcomeOfClass(evaluator_.Evaluate(connection, nullptr));
      evaluator_.Packets().Observe(nullptr, nullptr);
      if (outcome.fate == Fate::kNatLost) {
        const NatEffect nat = evaluator_.Packets().TranslationOf(connection, nullptr);
        outcome.source_nat = nat.source == Tristate::kYes;
        outcome.destination_nat = nat.destination == Tristate::kYes;
      }
    });
    const auto [known, is_new] = numbers_.try_emplace(outcome, outcomes_.size());
    if (is_new) {
      outcomes_.push_back(&known->first);
    }
    return {known->second, outcome.fate != Fate::kUnknown};
  }

  CloseEvaluator& evaluator_;
  firewall::facts::Resolver* resolver_;
  bool undivided_ = false;
  std::map<ClassOutcome, std::size_t> numbers_;
  std::vector<const ClassOutcome*> outcomes_;  // of numbers_, whose elements stay where they are
};

// Whether the socket's connection is of the class; unknown where that hangs on what nobody tells of the socket.
Tristate IsOf(const kernel::TcpSocket& socket, const SurveyedClass& surveyed) {
  const ConnectionClass& of = surveyed.connections;
  if (socket.local.address.Family() != of.family) {
    return Tristate::kNo;
  }
  const auto in = [&](Dimension dimension, Wide value) {
    return firewall::eval::TristateOf(Holds(of.Of(dimension), value));
  };
  const auto not_told = [&](Dimension dimension) {
    return of.Of(dimension) == IntervalSet::All(of.BitsOf(dimension)) ? Tristate::kYes : Tristate::kUnknown;
  };
  Tristate is_of = in(Dimension::kPeerAddress, NumberOf(socket.peer.address));
  is_of = And(is_of, in(Dimension::kLocalAddress, NumberOf(socket.local.address)));
  is_of = And(is_of, in(Dimension::kPeerPort, socket.peer.port));
  is_of = And(is_of, in(Dimension::kLocalPort, socket.local.port));
  is_of = And(is_of, socket.opened_here ? in(Dimension::kOpener, *socket.opened_here ? firewall::packet::kOpenedHere
                                                                                     : firewall::packet::kOpenedByPeer)
                                        : not_told(Dimension::kOpener));
  is_of = And(is_of, socket.orphan ? not_told(Dimension::kUser) : in(Dimension::kUser, socket.uid));
  is_of = And(is_of, socket.mark ? in(Dimension::kMark, *socket.mark) : not_told(Dimension::kMark));
  return And(is_of, not_told(Dimension::kGroup));
}

// A value that is easy to recognise: one of `liked` if the set holds it, else one of the first range that is neither
// its first nor its last, as networks have neither for a host.
Wide Choose(const IntervalSet& set, std::initializer_list<Wide> liked) {
  for (const Wide value : liked) {
    if (Holds(set, value)) {
      return value;
    }
  }
  const auto& intervals = set.Intervals();
  const auto roomy = std::find_if(intervals.begin(), intervals.end(),
                                  [](const IntervalSet::Interval& each) { return each.last - each.first >= 2; });
  return roomy != intervals.end() ? roomy->first + 1 : intervals.front().first;
}

void CountSockets(std::span<const kernel::TcpSocket> sockets, FamilySurvey& survey) {
  for (const kernel::TcpSocket& socket : sockets) {
    if (socket.local.address.Family() != survey.family) {
      continue;
    }
    SurveyedClass* found = nullptr;
    bool certain = true;
    for (SurveyedClass& surveyed : survey.classes) {
      const Tristate is_of = IsOf(socket, surveyed);
      if (is_of == Tristate::kYes) {
        found = &surveyed;
        certain = true;
        break;
      }
      if (is_of == Tristate::kUnknown) {
        certain = certain && found == nullptr;
        found = &surveyed;
      }
    }
    if (found == nullptr || !certain) {
      ++survey.sockets_of_no_class;
      continue;
    }
    if (found->sockets++ == 0) {
      found->example_local = socket.local;
      found->example_peer = socket.peer;
    }
  }
}

// Names of the chains that packets may come to from the base chains of which `starts` says so.
std::set<std::string> ChainsFrom(const firewall::Table& table,
                                 const std::function<bool(const firewall::BaseChain&)>& starts) {
  std::set<std::string> met;
  std::vector<std::string> waiting;
  const auto enter = [&](const std::string& name) {
    if (met.insert(name).second) {
      waiting.push_back(name);
    }
  };
  for (const auto& [name, chain] : table.chains) {
    if (chain->base && starts(*chain->base)) {
      enter(name);
    }
  }
  while (!waiting.empty()) {
    const firewall::Chain* chain = FindChain(table, waiting.back());
    waiting.pop_back();
    if (chain == nullptr) {
      continue;
    }
    for (const firewall::Rule& rule : chain->rules) {
      ForEachJump(table, rule, enter);
    }
  }
  return met;
}

}  // namespace

ClassOutcome OutcomeOf(const CloseOutcome& close) {
  ClassOutcome outcome;
  outcome.fate = close.fate;
  if (const auto loss = DecisiveDropOf(close)) {
    LostAt(*loss->result, loss->packet, outcome);
  } else if (close.fate == Fate::kUnknown) {
    outcome.reason = close.reason;
  }
  return outcome;
}

void MakeExample(SurveyedClass& surveyed) {
  const ConnectionClass& of = surveyed.connections;
  const auto address = [&](const char* liked) { return NumberOf(*IpAddress::Parse(liked)); };
  const bool four = of.family == IpFamily::kIpv4;
  constexpr Wide kEphemeral = 40000;
  constexpr Wide kService = 443;
  const bool by_peer = OnlyValue(of.Of(Dimension::kOpener)) == std::optional(firewall::packet::kOpenedByPeer);
  const Wide local_port = Choose(of.Of(Dimension::kLocalPort), {by_peer ? kService : kEphemeral});
  const bool serves = by_peer || local_port != kEphemeral;
  const Wide peer_port = Choose(of.Of(Dimension::kPeerPort), {serves ? kEphemeral : kService});
  const bool loopback = surveyed.path == PathKind::kLoopback;
  const Wide own = address(four ? "127.0.0.1" : "::1");
  const Wide peer = loopback
                        ? Choose(of.Of(Dimension::kPeerAddress), {own})
                        : Choose(of.Of(Dimension::kPeerAddress), {address(four ? "198.51.100.1" : "2001:db8:ffff::1")});
  // The address that this host has on the way to the peer.
  Wide near = own;
  for (const firewall::packet::RoutedPeers& route : *of.routes) {
    near = route.masquerade && Holds(route.peers, peer) ? NumberOf(*route.masquerade) : near;
  }
  const Wide local =
      loopback ? Choose(of.Of(Dimension::kLocalAddress), {peer, own}) : Choose(of.Of(Dimension::kLocalAddress), {near});
  surveyed.example_local = {firewall::packet::AddressOf(local, of.family), static_cast<std::uint16_t>(local_port)};
  surveyed.example_peer = {firewall::packet::AddressOf(peer, of.family), static_cast<std::uint16_t>(peer_port)};
}

FamilySurvey SurveyClasses(CloseEvaluator& evaluator, firewall::facts::Resolver* resolver, const ConnectionSpace& space,
                           IpFamily family, std::span<const kernel::TcpSocket> sockets, RulesReached* reached,
                           const firewall::classes::Limits& limits) {
  FamilySurvey result;
  result.family = family;
  result.incomplete = space.uncertain;
  Survey survey(evaluator, resolver);
  for (const SpacePart& part : space.parts) {
    survey.Divide(part, limits, result);
  }
  if (survey.HasUndivided()) {
    result.incomplete.emplace_back(kUndivided);
  }
  const Deadline reaching = Deadline::After(kReachingLimit);
  for (SurveyedClass& surveyed : result.classes) {
    MakeExample(surveyed);
    result.reached_all = result.reached_all && reached != nullptr && !reaching.Passed();
    if (result.reached_all) {
      survey.NoteReached(surveyed, *reached);
    }
  }
  CountSockets(sockets, result);
  const auto rank = [](const SurveyedClass& surveyed) {
    return std::pair(surveyed.outcome.fate == Fate::kClean     ? 2
                     : surveyed.outcome.fate == Fate::kUnknown ? 1
                                                               : 0,
                     -static_cast<std::ptrdiff_t>(surveyed.sockets));
  };
  std::stable_sort(result.classes.begin(), result.classes.end(),
                   [&](const SurveyedClass& a, const SurveyedClass& b) { return rank(a) < rank(b); });
  return result;
}

std::vector<firewall::RuleId> UnreachedRules(const firewall::Ruleset& ruleset, const std::set<IpFamily>& families,
                                             const RulesReached& reached) {
  using firewall::BaseChain;
  using firewall::ChainType;
  using firewall::Hook;
  std::vector<firewall::RuleId> unreached;
  for (const firewall::Table& table : ruleset.tables) {
    const bool all_asked = std::all_of(std::begin(kIpFamilies), std::end(kIpFamilies), [&](IpFamily family) {
      return !Covers(table.family, family) || families.contains(family);
    });
    if (table.dormant || !all_asked) {
      continue;
    }
    const auto elsewhere = ChainsFrom(table, [](const BaseChain& base) {
      return base.type == ChainType::kNat || base.hook == Hook::kForward || base.hook == Hook::kIngress ||
             base.hook == Hook::kEgress || base.hook == Hook::kPrerouting || base.hook == Hook::kPostrouting;
    });
    for (const auto& [name, chain] : table.chains) {
      if (elsewhere.contains(name) || chain->contents != firewall::Contents::kComplete) {
        continue;
      }
      const auto past = reached.find(chain.get());
      for (std::size_t i = past != reached.end() ? past->second : 0; i < chain->rules.size(); ++i) {
        unreached.push_back(IdOf(table, *chain, &chain->rules[i]));
      }
    }
  }
  return unreached;
}

}  // namespace finwait::diagnosis
