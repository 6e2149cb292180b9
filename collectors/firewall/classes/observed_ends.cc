#include "collectors/firewall/classes/observed_ends.h"

#include <algorithm>
#include <set>
#include <utility>

#include "collectors/firewall/eval/joined_results.h"
#include "collectors/firewall/model/rule_id.h"

namespace finwait::firewall::classes {
namespace {

using Kind = eval::ChainResult::Kind;

bool Stops(Kind kind) { return kind == Kind::kDrop || kind == Kind::kReject || kind == Kind::kQueue; }

std::optional<RuleId> RuleOf(const eval::TraversalEnd& end) {
  if (!Stops(end.result.kind) || end.result.table == nullptr || end.result.chain == nullptr) {
    return std::nullopt;
  }
  return IdOf(*end.result.table, *end.result.chain, end.result.rule);
}

std::string NameOf(const RuleId& id) {
  return std::string(Name(id.backend)) + " " + std::string(Name(id.family)) + " " + id.table + " " + id.chain + " " +
         std::to_string(id.handle.value_or(0)) + " " + std::to_string(id.index.value_or(0));
}

// What must be the same of two ends for them to be alike.
std::string KeyOf(const eval::TraversalEnd& end, bool by_rule) {
  const eval::ChainResult& result = end.result;
  std::string key = std::to_string(static_cast<int>(result.kind));
  if (result.kind == Kind::kUnknown) {
    return key + result.because;
  }
  key += " " + std::to_string(static_cast<int>(result.packet.source_translated)) +
         std::to_string(static_cast<int>(result.packet.destination_translated));
  const auto rule = by_rule ? RuleOf(end) : std::nullopt;
  return rule ? key + " " + NameOf(*rule) : key;
}

bool SetLess(const IntervalSet& a, const IntervalSet& b) {
  return std::lexicographical_compare(a.Intervals().begin(), a.Intervals().end(), b.Intervals().begin(),
                                      b.Intervals().end(),
                                      [](const IntervalSet::Interval& x, const IntervalSet::Interval& y) {
                                        return x.first != y.first ? x.first < y.first : x.last < y.last;
                                      });
}

// Any order, as long as it is one.
struct PointeeLess {
  bool operator()(const IntervalSet* a, const IntervalSet* b) const { return SetLess(*a, *b); }
  bool operator()(const std::array<IntervalSet, packet::kDimensions>* a,
                  const std::array<IntervalSet, packet::kDimensions>* b) const {
    return std::lexicographical_compare(a->begin(), a->end(), b->begin(), b->end(), SetLess);
  }
};

IntervalSet Together(const std::vector<const IntervalSet*>& sets) {
  std::vector<IntervalSet::Interval> all;
  for (const IntervalSet* each : sets) {
    all.insert(all.end(), each->Intervals().begin(), each->Intervals().end());
  }
  return IntervalSet::Union(std::move(all));
}

using Values = std::array<IntervalSet, packet::kDimensions>;
using Known = std::set<const Values*, PointeeLess>;

// Each of `ends` once.
std::vector<Values> Distinct(const std::vector<Values>& ends, Known& known) {
  std::vector<Values> distinct;
  for (const Values& each : ends) {
    if (known.insert(&each).second) {
      distinct.push_back(each);
    }
  }
  return distinct;
}

}  // namespace

void ObservedEnds::Start(const ConnectionClass& of) {
  of_ = of;
  traversals_.clear();
}

void ObservedEnds::OnEnds(const eval::Connection& connection, eval::PacketKind kind,
                          const std::vector<eval::TraversalEnd>& ends) {
  std::set<RuleId> rules;
  for (const eval::TraversalEnd& end : ends) {
    if (auto rule = RuleOf(end)) {
      rules.insert(*std::move(rule));
    }
  }
  ConnectionClass seen = of_;
  seen.turned = connection.within->turned;
  const bool arrives = kind == eval::PacketKind::kPeerSyn && connection.path_kind == eval::PathKind::kLocal;
  Alike traversal;
  for (const eval::TraversalEnd& end : ends) {
    if (arrives && end.result.kind != Kind::kUnknown && !seen.MayArrive(end.result.packet)) {
      continue;
    }
    ConnectionClass narrowed = seen.NarrowedTo(end.result.packet, kind, connection.path_kind);
    if (!narrowed.Empty()) {
      traversal[KeyOf(end, rules.size() <= eval::kRulesToldApart)].push_back(std::move(narrowed.values));
    }
  }
  if (traversal.size() > 1) {
    traversals_.push_back(std::move(traversal));
  }
}

std::optional<Cut> ObservedEnds::FindCut() const {
  for (const Alike& traversal : traversals_) {
    if (auto cut = CutOf(traversal)) {
      return cut;
    }
  }
  return std::nullopt;
}

std::optional<Cut> ObservedEnds::CutOf(const Alike& traversal) const {
  Ways ways;
  std::vector<Known> known(traversal.size());
  for (const auto& [key, ends] : traversal) {
    ways.push_back(Distinct(ends, known[ways.size()]));
  }
  // Where each way to end has the same connections, nothing of them decides.
  const bool same = std::all_of(known.begin(), known.end(), [&](const Known& way) {
    return std::equal(way.begin(), way.end(), known.front().begin(), known.front().end(),
                      [](const Values* a, const Values* b) { return *a == *b; });
  });
  if (same) {
    return std::nullopt;
  }
  auto cut = CutBetweenWays(ways);
  return cut ? cut : CutOffValues(ways);
}

std::optional<Cut> ObservedEnds::CutBetweenWays(const Ways& ways) const {
  std::optional<Cut> overlapping;
  for (std::size_t d = 0; d < packet::kDimensions; ++d) {
    const auto dimension = static_cast<Dimension>(d);
    const IntervalSet& all = of_.Of(dimension);
    std::vector<IntervalSet> unions;
    for (const std::vector<Values>& way : ways) {
      std::vector<const IntervalSet*> sets;
      sets.reserve(way.size());
      for (const Values& each : way) {
        sets.push_back(&each[d]);
      }
      unions.push_back(Together(sets).Intersection(all));
    }
    for (std::size_t i = 0; i < unions.size(); ++i) {
      if (unions[i].Empty() || unions[i] == all) {
        continue;
      }
      bool apart = true;
      for (std::size_t j = 0; j < unions.size(); ++j) {
        apart = apart && (i == j || unions[i].Intersection(unions[j]).Empty());
      }
      if (apart) {
        return Cut{dimension, unions[i]};
      }
      if (!overlapping || unions[i].Measure() / all.Measure() <
                              overlapping->inside.Measure() / of_.Of(overlapping->dimension).Measure()) {
        overlapping = Cut{dimension, unions[i]};
      }
    }
  }
  return overlapping;
}

std::optional<Cut> ObservedEnds::CutOffValues(const Ways& ways) const {
  constexpr std::size_t kFew = 64;
  std::optional<Cut> best;
  std::size_t fewest = 0;
  for (std::size_t d = 0; d < packet::kDimensions; ++d) {
    const IntervalSet& all = of_.Of(static_cast<Dimension>(d));
    for (const std::vector<Values>& way : ways) {
      std::vector<const IntervalSet*> different;
      std::set<const IntervalSet*, PointeeLess> listed;
      for (const Values& each : way) {
        if (each[d] != all && listed.insert(&each[d]).second) {
          different.push_back(&each[d]);
        }
      }
      if (different.empty() || (best && different.size() >= fewest)) {
        continue;
      }
      for (std::size_t taken = different.size() > kFew ? (different.size() + 1) / 2 : 1; taken > 0; taken /= 2) {
        IntervalSet part =
            Together({different.begin(), different.begin() + static_cast<std::ptrdiff_t>(taken)}).Intersection(all);
        if (!part.Empty() && part != all) {
          best = Cut{static_cast<Dimension>(d), std::move(part)};
          fewest = different.size();
          break;
        }
      }
    }
  }
  return best;
}

}  // namespace finwait::firewall::classes
