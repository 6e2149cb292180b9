#include "exporter/diagnosis/counter_ledger.h"

namespace finwait::diagnosis {

std::uint64_t CounterLedger::Advance(const std::string& identity, std::uint64_t value) {
  Last& last = rules_[identity];
  const std::uint64_t added = value >= last.value ? value - last.value : value;
  last = {value, sample_};
  return added;
}

void CounterLedger::EndSample() {
  std::erase_if(rules_, [this](const auto& rule) { return rule.second.sample != sample_; });
}

}  // namespace finwait::diagnosis
