#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace finwait::diagnosis {

/// Adds up counters of the kernel's that come and go with the rules that hold them, into one total that never falls. A
/// rule that restarts its counter, or is replaced by another, goes on adding; what a rule counted stays when the rule
/// has gone.
class CounterLedger {
 public:
  /// Starts a sample of all rules there are.
  void BeginSample() { ++sample_; }
  /// The value of one rule's counter in this sample; returns what it adds to the totals that it belongs to. `identity`
  /// names the rule from sample to sample.
  std::uint64_t Advance(const std::string& identity, std::uint64_t value);
  /// Prunes the rules that this sample did not name.
  void EndSample();

 private:
  struct Last {
    std::uint64_t value = 0;
    std::uint64_t sample = 0;
  };
  std::unordered_map<std::string, Last> rules_;
  std::uint64_t sample_ = 0;
};

}  // namespace finwait::diagnosis
