#include "collectors/firewall/eval/joined_results.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace finwait::firewall::eval {
namespace {

using packet::IntervalSet;

bool StopsPacket(ChainResult::Kind kind) {
  return kind == ChainResult::Kind::kDrop || kind == ChainResult::Kind::kReject || kind == ChainResult::Kind::kQueue;
}

// The first rules that stop a packet, one more than are told apart; all of them where they are fewer.
std::set<const Rule*> FirstThatStop(const std::vector<ChainResult>& results) {
  std::set<const Rule*> first;
  for (const ChainResult& each : results) {
    if (first.size() > kRulesToldApart) {
      break;
    }
    if (StopsPacket(each.kind)) {
      first.insert(each.rule);
    }
  }
  return first;
}

// Results that differ in the values of one field at most.
struct Group {
  ChainResult oldest;
  std::optional<std::size_t> domain;          // the one in which they differ; nothing: they do not
  std::vector<IntervalSet::Interval> values;  // of that one, in no order
};

void AddValues(const Packet& packet, std::size_t domain, std::vector<IntervalSet::Interval>& values) {
  const auto& more = packet.domains[domain].second.Intervals();
  values.insert(values.end(), more.begin(), more.end());
}

// Takes `result` into `group` if it fits.
bool TakeIn(Group& group, ChainResult& result) {
  Packet& ours = group.oldest.packet;
  Packet& other = result.packet;
  if (ours.domains.size() != other.domains.size()) {
    return false;
  }
  std::optional<std::size_t> differing = group.domain;
  for (std::size_t i = 0; i < ours.domains.size(); ++i) {
    if (ours.domains[i].first != other.domains[i].first) {
      return false;
    }
    if (differing != i && ours.domains[i].second != other.domains[i].second) {
      if (differing) {
        return false;
      }
      differing = i;
    }
  }
  if (!differing) {
    if (!ours.SameAs(other)) {
      return false;
    }
    group.oldest = std::move(result);
    return true;
  }
  // The values of that one aside.
  IntervalSet own = std::exchange(ours.domains[*differing].second, IntervalSet());
  IntervalSet others = std::exchange(other.domains[*differing].second, IntervalSet());
  const bool same = ours.SameAs(other);
  ours.domains[*differing].second = std::move(own);
  other.domains[*differing].second = std::move(others);
  if (!same) {
    return false;
  }
  if (!group.domain) {
    group.domain = differing;
    AddValues(ours, *differing, group.values);
  }
  AddValues(other, *differing, group.values);
  group.oldest = std::move(result);
  return true;
}

}  // namespace

void JoinResults(std::vector<ChainResult>& results) {
  const std::set<const Rule*> first = FirstThatStop(results);
  const auto alike = [&](const ChainResult& a, const ChainResult& b) {
    if (a.kind != b.kind || a.because != b.because) {
      return false;
    }
    return !StopsPacket(a.kind) || a.rule == b.rule || (first.count(a.rule) == 0 && first.count(b.rule) == 0);
  };
  // From the newest, so that of each group the oldest one stays, in its place.
  std::vector<Group> groups;
  for (auto older = results.rbegin(); older != results.rend(); ++older) {
    const auto fits = std::find_if(groups.begin(), groups.end(),
                                   [&](Group& group) { return alike(group.oldest, *older) && TakeIn(group, *older); });
    if (fits == groups.end()) {
      groups.push_back({std::move(*older), std::nullopt, {}});
    } else {
      std::rotate(fits, fits + 1, groups.end());
    }
  }
  results.clear();
  for (auto group = groups.rbegin(); group != groups.rend(); ++group) {
    if (group->domain) {
      group->oldest.packet.domains[*group->domain].second = IntervalSet::Union(std::move(group->values));
    }
    results.push_back(std::move(group->oldest));
  }
}

}  // namespace finwait::firewall::eval
