#include "collectors/firewall/packet/interval_set.h"

#include <algorithm>

namespace finwait::firewall::packet {
namespace {

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
  IntervalSet result;
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
