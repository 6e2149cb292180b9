#include "exporter/service/readiness.h"

#include <algorithm>

namespace finwait::service {
namespace {

bool CanWorkHere(const scheduling::CollectorStatus& status) {
  return status.has_worked || std::none_of(status.errors.begin(), status.errors.end(), [](const Error& error) {
           return error.reason == FailureReason::kPermission || error.reason == FailureReason::kUnsupported;
         });
}

}  // namespace

std::vector<std::string> NotReady(const scheduling::Snapshot& snapshot, SteadyClock::time_point now) {
  constexpr int kFreshIntervals = 3;
  std::vector<std::string> missing;
  for (const scheduling::CollectorStatus& status : snapshot.collectors) {
    const std::string name(status.info->name);
    if (!status.collected) {
      missing.push_back(name + ": has not finished its first collection");
    } else if (status.data == nullptr) {
      if (CanWorkHere(status)) {
        missing.push_back(name + ": " + status.errors.front().message);
      }
    } else if (now - status.taken_at > kFreshIntervals * status.interval) {
      missing.push_back(name + ": its newest sample is older than " + std::to_string(kFreshIntervals) + " intervals");
    }
  }
  return missing;
}

}  // namespace finwait::service
