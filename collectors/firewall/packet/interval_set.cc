#include "collectors/firewall/packet/interval_set.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace finwait::firewall::packet {
namespace {

using Interval = IntervalSet::Interval;
using Ranges = std::vector<Interval>;

// Against many ranges so few are looked up one by one: a rule names one port, and a class may have lost thousands.
constexpr std::size_t kFewRanges = 8;

bool AreFew(const Ranges& few, const Ranges& many) {
  return few.size() <= kFewRanges && many.size() > kFewRanges * kFewRanges;
}

// The first range of `ranges` that does not end before `number`.
Ranges::const_iterator FirstFrom(const Ranges& ranges, Ranges::const_iterator from, Wide number) {
  return std::lower_bound(from, ranges.end(), number,
                          [](const Interval& each, Wide first) { return each.last < first; });
}

constexpr Wide Largest(unsigned bits) { return bits >= 128 ? ~Wide{0} : (Wide{1} << bits) - 1; }

}  // namespace

IntervalSet IntervalSet::All(unsigned bits) { return Between(0, Largest(bits)); }

IntervalSet IntervalSet::Between(Wide first, Wide last) {
  IntervalSet set;
  if (first <= last) {
    set.intervals_.push_back({first, last});
  }
  return set;
}

IntervalSet IntervalSet::Union(std::vector<Interval> intervals) {
  std::erase_if(intervals, [](const Interval& each) { return each.last < each.first; });
  std::sort(intervals.begin(), intervals.end(), [](const Interval& a, const Interval& b) { return a.first < b.first; });
  IntervalSet set;
  for (const Interval& each : intervals) {
    // Ranges that touch are joined too; `last + 1` cannot wrap, because nothing starts above the largest number.
    if (!set.intervals_.empty() &&
        (each.first <= set.intervals_.back().last || each.first == set.intervals_.back().last + 1)) {
      set.intervals_.back().last = std::max(set.intervals_.back().last, each.last);
    } else {
      set.intervals_.push_back(each);
    }
  }
  return set;
}

bool IntervalSet::Masked(Wide mask, Wide value, unsigned bits, IntervalSet* exact) {
  mask &= Largest(bits);
  if ((value & ~mask) != 0) {
    *exact = IntervalSet();
    return true;
  }
  unsigned lowest = 0;  // bits below it are free and make one range; free bits above it multiply the ranges
  while (lowest < bits && ((mask >> lowest) & 1) == 0) {
    ++lowest;
  }
  std::vector<unsigned> free_bits;
  for (unsigned bit = lowest; bit < bits; ++bit) {
    if (((mask >> bit) & 1) == 0) {
      free_bits.push_back(bit);
    }
  }
  if (free_bits.size() > 10) {
    return false;
  }
  const Wide span = lowest == 0 ? 0 : Largest(lowest);
  std::vector<Interval> intervals;
  for (unsigned choice = 0; choice < 1U << free_bits.size(); ++choice) {
    Wide first = value;
    for (std::size_t i = 0; i < free_bits.size(); ++i) {
      first |= ((choice >> i) & 1) != 0 ? Wide{1} << free_bits[i] : 0;
    }
    intervals.push_back({first, first + span});
  }
  *exact = Union(std::move(intervals));
  return true;
}

IntervalSet IntervalSet::Intersection(const IntervalSet& other) const {
  if (AreFew(intervals_, other.intervals_)) {
    return other.Intersection(*this);
  }
  IntervalSet result;
  if (AreFew(other.intervals_, intervals_)) {
    for (const Interval& each : other.intervals_) {
      for (auto at = FirstFrom(intervals_, intervals_.begin(), each.first);
           at != intervals_.end() && at->first <= each.last; ++at) {
        result.intervals_.push_back({std::max(at->first, each.first), std::min(at->last, each.last)});
      }
    }
    return result;
  }
  auto a = intervals_.begin();
  auto b = other.intervals_.begin();
  while (a != intervals_.end() && b != other.intervals_.end()) {
    const Wide first = std::max(a->first, b->first);
    const Wide last = std::min(a->last, b->last);
    if (first <= last) {
      result.intervals_.push_back({first, last});
    }
    (a->last < b->last) ? ++a : ++b;
  }
  return result;
}

IntervalSet IntervalSet::Difference(const IntervalSet& other) const {
  IntervalSet result;
  if (AreFew(other.intervals_, intervals_)) {
    result.intervals_.reserve(intervals_.size() + other.intervals_.size());
    auto from = intervals_.begin();
    std::optional<Interval> rest;  // of the range at `from`, where it was cut already
    for (const Interval& each : other.intervals_) {
      const auto to = FirstFrom(intervals_, from, each.first);
      if (to != from && rest) {
        result.intervals_.push_back(*std::exchange(rest, std::nullopt));
        ++from;
      }
      result.intervals_.insert(result.intervals_.end(), from, to);
      for (from = to; from != intervals_.end(); ++from, rest.reset()) {
        const Interval here = rest.value_or(*from);
        if (here.first > each.last) {
          break;
        }
        if (here.first < each.first) {
          result.intervals_.push_back({here.first, each.first - 1});
        }
        if (here.last > each.last) {
          rest = Interval{each.last + 1, here.last};
          break;
        }
      }
    }
    if (rest) {
      result.intervals_.push_back(*rest);
      ++from;
    }
    result.intervals_.insert(result.intervals_.end(), from, intervals_.end());
    return result;
  }
  auto cut = other.intervals_.begin();
  for (Interval rest : intervals_) {
    bool gone = false;
    while (cut != other.intervals_.end() && cut->last < rest.first) {
      ++cut;
    }
    for (auto each = cut; each != other.intervals_.end() && each->first <= rest.last; ++each) {
      if (each->first > rest.first) {
        result.intervals_.push_back({rest.first, each->first - 1});
      }
      if (each->last >= rest.last) {
        gone = true;
        break;
      }
      rest.first = each->last + 1;
    }
    if (!gone) {
      result.intervals_.push_back(rest);
    }
  }
  return result;
}

long double IntervalSet::Measure() const {
  long double sum = 0;
  for (const Interval& each : intervals_) {
    sum += static_cast<long double>(each.last - each.first) + 1;
  }
  return sum;
}

}  // namespace finwait::firewall::packet
