#include "exporter/incidents/lost_resets.h"

#include <algorithm>

namespace finwait::incidents {
namespace {

// A clock that was set back makes nobody wait for longer.
bool IsOver(Time since, Time now, std::chrono::milliseconds patience) { return now - since >= patience || now < since; }

void DropOld(Time now, std::chrono::milliseconds patience, std::deque<Time>& times) {
  std::erase_if(times, [&](Time time) { return IsOver(time, now, patience); });
}

}  // namespace

bool LostResets::IsNew(const diagnosis::DroppedPacket& reset, Time now) {
  return reset.drop.connected && connections_.insert_or_assign({reset.local, reset.peer}, now).second;
}

void LostResets::Match() {
  const auto both = static_cast<std::ptrdiff_t>(std::min(counted_.size(), named_.size()));
  counted_.erase(counted_.begin(), counted_.begin() + both);
  named_.erase(named_.begin(), named_.begin() + both);
}

LostResets::News LostResets::Take(const diagnosis::Diagnosis& diagnosis, Time now) {
  const std::uint64_t counted = diagnosis.resets_lost - std::min(diagnosis.resets_lost, counted_before_);
  counted_before_ = diagnosis.resets_lost;
  News news;
  if (!diagnosis.witness) {
    news.unnamed = counted + counted_.size();
    counted_.clear();
    named_.clear();
    return news;
  }
  std::erase_if(connections_, [&](const auto& item) { return IsOver(item.second, now, kRepeated); });
  for (const auto& reset : diagnosis.witness->new_resets) {
    if (IsNew(*reset, now)) {
      named_.push_back(now);
      news.named.push_back(reset);
    }
  }
  const std::uint64_t waiting =
      std::min(counted, kMostWaiting - std::min(kMostWaiting, std::uint64_t{counted_.size()}));
  news.unnamed = counted - waiting;
  counted_.insert(counted_.end(), waiting, now);
  Match();
  const std::size_t before = counted_.size();
  DropOld(now, kPatience, counted_);
  news.unnamed += before - counted_.size();
  DropOld(now, kPatience, named_);
  return news;
}

}  // namespace finwait::incidents
