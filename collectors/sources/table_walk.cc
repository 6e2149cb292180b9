#include "collectors/sources/table_walk.h"

#include <algorithm>
#include <cstddef>

#include "collectors/sources/conntrack_table.h"

namespace finwait::sources {
namespace {

std::uint64_t Difference(std::uint64_t one, std::uint64_t other) { return std::max(one, other) - std::min(one, other); }

std::vector<std::uint64_t> Numbers(const ConntrackTableSample& sample) {
  std::vector<std::uint64_t> numbers = {sample.evictable};
  for (const FlowCounts& flows : sample.flows) {
    numbers.insert(numbers.end(), flows.tcp.begin(), flows.tcp.end());
    numbers.insert(numbers.end(), {flows.udp, flows.icmp, flows.other});
  }
  for (std::size_t i = 0; i < ConntrackTableSample::kLiveStates; ++i) {
    const AgeHistogram idle = sample.idle[i].value_or(AgeHistogram());
    numbers.insert(numbers.end(), idle.counts.begin(), idle.counts.end());
    numbers.insert(numbers.end(), sample.remaining[i].counts.begin(), sample.remaining[i].counts.end());
  }
  return numbers;
}

std::uint64_t Entries(const ConntrackTableSample& sample) {
  std::uint64_t entries = 0;
  for (const FlowCounts& flows : sample.flows) {
    for (const std::uint64_t count : flows.tcp) {
      entries += count;
    }
    entries += flows.udp + flows.icmp + flows.other;
  }
  return entries;
}

}  // namespace

bool Agree(const ConntrackTableSample& walked, const ConntrackTableSample& dumped) {
  constexpr std::uint64_t kAtLeast = 64;
  const std::uint64_t allowed = kAtLeast + std::max(Entries(walked), Entries(dumped)) / 20;
  const auto one = Numbers(walked);
  const auto other = Numbers(dumped);
  for (std::size_t i = 0; i < one.size(); ++i) {
    if (Difference(one[i], other[i]) > allowed) {
      return false;
    }
  }
  return true;
}

}  // namespace finwait::sources
