#include "exporter/diagnosis/firewall_totals.h"

namespace finwait::diagnosis {

std::optional<FirewallTotals> FirewallCounters::AddUp(const scheduling::Snapshot& snapshot) {
  const auto* sample = snapshot.Find<sources::FirewallSample>();
  if (sample == nullptr) {
    return std::nullopt;
  }
  if (!sample_.TakeIn(snapshot.Status<sources::FirewallSample>())) {
    return totals_;
  }
  invalid_drops_.BeginSample();
  for (const firewall::analysis::InvalidDropRule& rule : sample->invalid_drops) {
    if (!rule.drops) {
      continue;
    }
    const std::uint64_t added = invalid_drops_.Advance(rule.identity, rule.drops->packets);
    for (const IpFamily family : rule.families) {
      for (const firewall::Hook hook : rule.hooks) {
        totals_.invalid_drops[family][static_cast<std::size_t>(hook)] += added;
      }
    }
  }
  invalid_drops_.EndSample();
  policy_drops_.BeginSample();
  for (const firewall::analysis::PolicyDrop& policy : sample->policy_drops) {
    if (!policy.drops) {
      continue;
    }
    const std::uint64_t added = policy_drops_.Advance(policy.identity, policy.drops->packets);
    for (const IpFamily family : policy.families) {
      totals_.policy_drops[family][static_cast<std::size_t>(policy.hook)] += added;
    }
  }
  policy_drops_.EndSample();
  return totals_;
}

}  // namespace finwait::diagnosis
