#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>

namespace finwait::firewall::eval {

/// Chance for random rulesets: the same seed gives the same throws everywhere.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  unsigned Below(std::size_t limit) { return static_cast<unsigned>(engine_() % limit); }
  bool Chance(unsigned percent) { return Below(100) < percent; }
  std::string Of(std::initializer_list<const char*> choices) { return *(choices.begin() + Below(choices.size())); }
  /// "! " in so many of a hundred throws, or nothing.
  std::string Not(unsigned percent) { return Chance(percent) ? "! " : ""; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace finwait::firewall::eval
