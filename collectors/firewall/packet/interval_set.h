#pragma once

#include <cstddef>
#include <vector>

namespace finwait::firewall::packet {

/// A number of up to 128 bits: an address, a port, an interface name read as one number.
__extension__ typedef unsigned __int128 Wide;

/// A set of numbers as sorted ranges that neither overlap nor touch.
class IntervalSet {
 public:
  struct Interval {
    Wide first = 0;
    Wide last = 0;  ///< included
    bool operator==(const Interval&) const = default;
  };

  /// Nothing.
  IntervalSet() = default;
  /// Everything that fits into `bits` bits (1 to 128).
  static IntervalSet All(unsigned bits);
  /// `first` to `last`, both included; nothing when `last` is below `first`.
  static IntervalSet Between(Wide first, Wide last);
  /// The union of `intervals`, in any order, overlapping or not.
  static IntervalSet Union(std::vector<Interval> intervals);
  /// All numbers n of `bits` bits with (n & mask) == value. Nothing in `*exact` when that would take more than
  /// kMaskedIntervals ranges.
  static bool Masked(Wide mask, Wide value, unsigned bits, IntervalSet* exact);
  static constexpr std::size_t kMaskedIntervals = 1024;

  IntervalSet Intersection(const IntervalSet& other) const;
  IntervalSet Difference(const IntervalSet& other) const;

  bool Empty() const { return intervals_.empty(); }
  /// How many numbers it holds, to the precision of a long double.
  long double Measure() const;
  const std::vector<Interval>& Intervals() const { return intervals_; }
  bool operator==(const IntervalSet&) const = default;

 private:
  std::vector<Interval> intervals_;
};

}  // namespace finwait::firewall::packet
