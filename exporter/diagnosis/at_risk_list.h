#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "exporter/diagnosis/close_outcome.h"

namespace finwait::diagnosis {

/// Which of the sockets at risk a summary lists: one for each rule first, which stands for all that are lost there, so
/// that a bounded list names every rule and its number of sockets. Not thread-safe.
class AtRiskList {
 public:
  struct Listed {
    std::size_t position = 0;      ///< as it was given to Add()
    std::uint64_t stands_for = 0;  ///< sockets that fare as it does, itself among them; 0: another stands for it
    bool with_entry = false;       ///< as it was given to Add()
  };

  /// `most`: so many are listed.
  explicit AtRiskList(std::size_t most) : most_(most) {}

  /// `site`: OutcomeMemo::FindSite(); of sockets with 0 each stands for itself, unless its NAT is lost.
  void Add(std::size_t position, Fate fate, std::uint16_t site, bool with_entry);
  /// Those that stand for most come first, those that stand for none last.
  std::vector<Listed> Take();
  /// Whether each socket that was added is listed or stood for.
  bool IsComplete() const { return complete_; }

 private:
  std::size_t most_;
  bool complete_ = true;
  std::map<std::tuple<Fate, std::uint16_t, bool>, std::size_t> known_;  // positions in `examples_`
  std::vector<Listed> examples_;
  std::vector<Listed> others_;
};

}  // namespace finwait::diagnosis
