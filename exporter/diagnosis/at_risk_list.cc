#include "exporter/diagnosis/at_risk_list.h"

#include <algorithm>
#include <utility>

namespace finwait::diagnosis {

void AtRiskList::Add(std::size_t position, Fate fate, std::uint16_t site, bool with_entry) {
  const bool alike = site != 0 || fate == Fate::kNatLost;  // what an unknown fate hangs on may differ
  if (alike) {
    const auto known = known_.find({fate, site, with_entry});
    if (known != known_.end()) {
      ++examples_[known->second].stands_for;
    } else if (examples_.size() < most_) {
      known_[{fate, site, with_entry}] = examples_.size();
      examples_.push_back({position, 1, with_entry});
      return;
    } else {
      complete_ = false;
      return;
    }
  }
  if (others_.size() < most_) {
    others_.push_back({position, alike ? 0U : 1U, with_entry});
  } else if (!alike) {
    complete_ = false;
  }
}

std::vector<AtRiskList::Listed> AtRiskList::Take() {
  const std::size_t room = most_ - examples_.size();
  complete_ = complete_ && std::none_of(others_.begin() + static_cast<std::ptrdiff_t>(std::min(room, others_.size())),
                                        others_.end(), [](const Listed& one) { return one.stands_for > 0; });
  std::stable_sort(examples_.begin(), examples_.end(),
                   [](const Listed& a, const Listed& b) { return a.stands_for > b.stands_for; });
  others_.resize(std::min(room, others_.size()));
  examples_.insert(examples_.end(), others_.begin(), others_.end());
  return std::move(examples_);
}

}  // namespace finwait::diagnosis
