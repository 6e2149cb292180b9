#include "exporter/diagnosis/diagnosis.h"

#include <algorithm>
#include <utility>

namespace finwait::diagnosis {

void StuckSummary::Add(StuckSocket stuck) {
  const std::size_t state = StuckStateIndex(stuck.socket.state);
  ++(stuck.cause ? now[state][static_cast<std::size_t>(*stuck.cause)] : undetermined[state]);
  oldest_seconds[state] = std::max(oldest_seconds[state], stuck.age.count());
  sockets.push_back(std::move(stuck));
}

}  // namespace finwait::diagnosis
