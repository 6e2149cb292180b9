#include "collectors/firewall/classes/divide.h"

#include <algorithm>
#include <compare>
#include <deque>
#include <functional>
#include <numeric>
#include <optional>
#include <utility>

namespace finwait::firewall::classes {
namespace {

using packet::kDimensions;

Cut FirstValue(const ConnectionClass& of, Dimension dimension) {
  const packet::Wide first = of.Of(dimension).Intervals().front().first;
  return {dimension, IntervalSet::Between(first, first)};
}

std::optional<std::pair<ConnectionClass, ConnectionClass>> Apply(const ConnectionClass& of, const Cut& cut) {
  std::pair parts(of.Within(cut.dimension, cut.inside),
                  of.Within(cut.dimension, of.Of(cut.dimension).Difference(cut.inside)));
  return parts.first.Empty() || parts.second.Empty() ? std::nullopt : std::optional(std::move(parts));
}

class Divider {
 public:
  Divider(const EvaluateClass& evaluate, const Limits& limits) : evaluate_(evaluate), limits_(limits) {}

  Division Run(std::vector<ConnectionClass> space) {
    pending_.assign(std::make_move_iterator(space.begin()), std::make_move_iterator(space.end()));
    while (!pending_.empty()) {
      const ConnectionClass of = std::move(pending_.front());
      pending_.pop_front();
      if (!of.Empty()) {
        Take(of);
      }
    }
    return std::move(result_);
  }

 private:
  ClassAnswer Ask(const ConnectionClass& of) {
    ends_.Start(of);
    return evaluate_(of, ends_);
  }

  void Take(const ConnectionClass& of) {
    if (!result_.leaves.empty() && TimeIsUp()) {
      result_.leaves.push_back({of, kNotEvaluated});
      return;
    }
    const ClassAnswer answer = Ask(of);
    std::optional<Cut> cut = ends_.FindCut();
    auto parts = cut ? Apply(of, *cut) : std::nullopt;
    if (!parts && !answer.certain && !TimeIsUp()) {
      cut = ByWitness(of);
      parts = cut ? Apply(of, *cut) : std::nullopt;
    }
    if (parts && Full()) {
      parts.reset();
    }
    if (!parts) {
      result_.leaves.push_back({of, answer.answer});
      return;
    }
    pending_.push_back(std::move(parts->first));
    pending_.push_back(std::move(parts->second));
  }

  bool Full() {
    if (result_.leaves.size() + pending_.size() >= limits_.classes) {
      result_.incomplete = "the rules tell more than " + std::to_string(limits_.classes) +
                           " classes of connections apart; those that are left are not told apart any further";
    }
    return TimeIsUp() || !result_.incomplete.empty();
  }

  bool TimeIsUp() {
    const bool up = limits_.deadline.Passed();
    if (up && result_.incomplete.empty()) {
      result_.incomplete =
          "telling all connections apart takes too long with these rules; those that are left are not told apart any "
          "further";
    }
    return up;
  }

  // The answer for the class is unknown, and no end of a packet says why. If a single connection of it has a certain
  // answer, the first dimension is cut in which it alone makes the difference, or lets the difference be seen.
  std::optional<Cut> ByWitness(const ConnectionClass& of) {
    ConnectionClass witness = of;
    bool single = true;
    for (const Dimension dimension : kOrder) {
      if (packet::OnlyValue(of.Of(dimension))) {
        continue;
      }
      single = false;
      witness = witness.Within(dimension, FirstValue(witness, dimension).inside);
    }
    if (single || witness.Empty() || !Ask(witness).certain) {
      return std::nullopt;
    }
    // From the whole class to the witness, one dimension after the other: the step that settles or shows it.
    ConnectionClass narrowed = of;
    for (const Dimension dimension : kOrder) {
      if (packet::OnlyValue(narrowed.Of(dimension))) {
        continue;
      }
      if (TimeIsUp()) {
        return std::nullopt;
      }
      const IntervalSet first = FirstValue(narrowed, dimension).inside;
      narrowed = narrowed.Within(dimension, first);
      if (Ask(narrowed).certain || ends_.FindCut()) {
        if (MayBeCutByValue(of, dimension)) {
          return Cut{dimension, first};
        }
        result_.undivided = true;
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  // Where values are few, each may become a class of its own. Of marks 0 is the one that nearly all sockets have.
  static bool MayBeCutByValue(const ConnectionClass& of, Dimension dimension) {
    constexpr long double kFewValues = 64;
    switch (dimension) {
      case Dimension::kOpener:
        return true;
      case Dimension::kRoute:
      case Dimension::kPeerAddress:
      case Dimension::kLocalAddress:
        return of.Of(dimension).Measure() <= kFewValues;
      case Dimension::kMark:
        return of.Of(dimension).Intervals().front().first == 0;
      default:
        return false;
    }
  }

  // Those with few values first.
  static constexpr Dimension kOrder[] = {Dimension::kOpener,      Dimension::kRoute,     Dimension::kLocalAddress,
                                         Dimension::kMark,        Dimension::kLocalPort, Dimension::kPeerPort,
                                         Dimension::kPeerAddress, Dimension::kUser,      Dimension::kGroup};
  static_assert(std::size(kOrder) == kDimensions);

  const EvaluateClass& evaluate_;
  const Limits& limits_;
  ObservedEnds ends_;
  std::deque<ConnectionClass> pending_;
  Division result_;
};

std::strong_ordering Order(const IntervalSet& a, const IntervalSet& b) {
  return std::lexicographical_compare_three_way(
      a.Intervals().begin(), a.Intervals().end(), b.Intervals().begin(), b.Intervals().end(),
      [](const IntervalSet::Interval& x, const IntervalSet::Interval& y) -> std::strong_ordering {
        if (x.first != y.first) {
          return x.first < y.first ? std::strong_ordering::less : std::strong_ordering::greater;
        }
        return x.last < y.last   ? std::strong_ordering::less
               : x.last > y.last ? std::strong_ordering::greater
                                 : std::strong_ordering::equal;
      });
}

// Leaves that are equal by this may be joined: they have one answer, and differ in the dimension `left_out` at most.
std::strong_ordering OrderButFor(std::size_t left_out, const Leaf& a, const Leaf& b) {
  if (a.answer != b.answer) {
    return a.answer <=> b.answer;
  }
  if (a.of.routes != b.of.routes) {
    return std::compare_three_way()(a.of.routes.get(), b.of.routes.get());
  }
  for (std::size_t i = 0; i < kDimensions; ++i) {
    const bool follows = !a.of.routes->empty() && left_out == static_cast<std::size_t>(Dimension::kPeerAddress) &&
                         i == static_cast<std::size_t>(Dimension::kRoute);
    if (i == left_out || follows) {
      continue;
    }
    if (const auto order = Order(a.of.values[i], b.of.values[i]); order != 0) {
      return order;
    }
  }
  return std::strong_ordering::equal;
}

IntervalSet Union(const IntervalSet& a, const IntervalSet& b) {
  std::vector<IntervalSet::Interval> all = a.Intervals();
  all.insert(all.end(), b.Intervals().begin(), b.Intervals().end());
  return IntervalSet::Union(std::move(all));
}

}  // namespace

Division Divide(std::vector<ConnectionClass> space, const EvaluateClass& evaluate, const Limits& limits) {
  return Divider(evaluate, limits).Run(std::move(space));
}

void Merge(std::vector<Leaf>& leaves) {
  std::vector<std::size_t> order;
  for (bool merged = true; merged;) {
    merged = false;
    for (std::size_t d = 0; d < kDimensions; ++d) {
      order.resize(leaves.size());
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const auto alike = OrderButFor(d, leaves[a], leaves[b]);
        return alike != 0 ? alike < 0 : a < b;
      });
      std::vector<bool> joined(leaves.size(), false);
      for (std::size_t first = 0, next = 1; next < order.size(); ++next) {
        Leaf& from = leaves[order[next]];
        Leaf& into = leaves[order[first]];
        // Against what has not been joined yet, which has kept all of its dimensions.
        if (OrderButFor(d, leaves[order[next - 1]], from) != 0) {
          first = next;
          continue;
        }
        for (std::size_t each = 0; each < kDimensions; ++each) {
          into.of.values[each] = Union(into.of.values[each], from.of.values[each]);
        }
        joined[order[next]] = true;
        merged = true;
      }
      std::size_t at = 0;
      std::erase_if(leaves, [&](const Leaf&) { return joined[at++]; });
    }
  }
}

}  // namespace finwait::firewall::classes
