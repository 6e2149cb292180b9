#include "exporter/pairs/passage_memory.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "collectors/sources/conntrack_table.h"

namespace finwait::pairs {

void PassageMemory::Take(const diagnosis::Diagnosis& diagnosis) {
  const auto* status = diagnosis.snapshot->Status<sources::ConntrackTableSample>();
  const auto* table = diagnosis.snapshot->Find<sources::ConntrackTableSample>();
  if (table == nullptr || std::exchange(sample_, status->data) == status->data) {
    return;
  }
  const std::lock_guard lock(mutex_);
  ++samples_;
  for (const kernel::TranslatedFlow& flow : table->translated) {
    Add(flow);
  }
  DropOldest();
}

void PassageMemory::Add(const kernel::TranslatedFlow& flow) {
  const auto [item, is_new] = flows_.try_emplace(flow);
  item->second.sample = samples_;
  if (!is_new) {
    return;
  }
  Passage& passage = item->second.passage;
  passage.opener_side = {digester_.Of(flow.opener, flow.dialled), digester_.Of(flow.dialled, flow.opener)};
  passage.answerer_side = {digester_.Of(flow.seen, flow.answerer), digester_.Of(flow.answerer, flow.seen)};
  if (const auto known = by_opener_.find(passage.opener_side.here); known != by_opener_.end()) {
    Forget(known->second);
  }
  if (const auto known = by_answerer_.find(passage.answerer_side.there); known != by_answerer_.end()) {
    Forget(known->second);
  }
  by_opener_[passage.opener_side.here] = item;
  by_answerer_[passage.answerer_side.there] = item;
}

void PassageMemory::Forget(Flows::iterator item) {
  by_opener_.erase(item->second.passage.opener_side.here);
  by_answerer_.erase(item->second.passage.answerer_side.there);
  flows_.erase(item);
}

void PassageMemory::DropOldest() {
  if (flows_.size() <= kMost) {
    return;
  }
  std::vector<std::uint64_t> samples;
  samples.reserve(flows_.size());
  for (const auto& [flow, remembered] : flows_) {
    samples.push_back(remembered.sample);
  }
  const auto last = samples.begin() + static_cast<std::ptrdiff_t>(flows_.size() - kMost);
  std::ranges::nth_element(samples, last);
  const std::uint64_t oldest_kept = *last;
  for (auto item = flows_.begin(); item != flows_.end() && flows_.size() > kMost;) {
    const auto next = std::next(item);
    if (item->second.sample < oldest_kept) {
      Forget(item);
    }
    item = next;
  }
  while (flows_.size() > kMost) {
    Forget(flows_.begin());  // of one sample, any
  }
}

std::vector<Passage> PassageMemory::Known() const {
  const std::lock_guard lock(mutex_);
  std::vector<Passage> passages;
  passages.reserve(flows_.size());
  for (const auto& [flow, remembered] : flows_) {
    passages.push_back(remembered.passage);
  }
  return passages;
}

}  // namespace finwait::pairs
