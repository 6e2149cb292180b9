#include "exporter/diagnosis/failed_resets.h"

#include "collectors/sources/netstat.h"

namespace finwait::diagnosis {

std::optional<std::uint64_t> FailedResets::NewIn(const scheduling::Snapshot& snapshot) {
  const auto* netstat = snapshot.Find<sources::NetstatSample>();
  if (!sample_.TakeIn(snapshot.Status<sources::NetstatSample>()) || !netstat->abort_failed) {
    return std::nullopt;
  }
  const std::uint64_t now = *netstat->abort_failed;
  const std::uint64_t before = counted_.value_or(now);
  counted_ = now;
  return now > before ? now - before : 0;
}

}  // namespace finwait::diagnosis
