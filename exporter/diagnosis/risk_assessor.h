#pragma once

#include <cstdint>

#include "exporter/diagnosis/diagnosis.h"
#include "exporter/diagnosis/evidence.h"

namespace finwait::diagnosis {

/// Assesses the risk of one diagnosis after the other: what each shows now, and what was proven a while ago. Not
/// thread-safe.
class RiskAssessor {
 public:
  /// Sets the risk, the last evidence and whether the drop path is unknown in `diagnosis`, which is complete otherwise.
  /// `resets_lost`: those newly lost.
  void Assess(SteadyClock::time_point now, std::uint64_t resets_lost, Diagnosis& diagnosis);

 private:
  EvidenceLog evidence_;
  std::uint64_t proven_before_ = 0;  // proven sockets counted by the history in the diagnosis before
};

}  // namespace finwait::diagnosis
