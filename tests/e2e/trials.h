#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "tests/e2e/trial.h"

namespace finwait::e2e {

/// Trials that belong together, small enough to be played within a test's time.
struct TrialGroup {
  std::string name;
  std::vector<Trial> trials;
  friend std::ostream& operator<<(std::ostream& out, const TrialGroup& group) { return out << group.name; }
};

/// The risk matrix: backend x drop path, NAT or none x timeout x keepalive x traffic x close, kill or reset x IPv4 or
/// IPv6, and what must raise no alarm.
std::vector<TrialGroup> RiskMatrix();

}  // namespace finwait::e2e
