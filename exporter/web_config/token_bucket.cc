#include "exporter/web_config/token_bucket.h"

#include <algorithm>

namespace finwait::web_config {

bool TokenBucket::Take(const http::Peer& peer, SteadyClock::time_point now) {
  if (limit_.interval.count() == 0) {
    return true;
  }
  const auto intervals = static_cast<double>(std::chrono::nanoseconds(now - counted_).count()) /
                         static_cast<double>(limit_.interval.count());
  tokens_ = std::min(static_cast<double>(limit_.burst), tokens_ + intervals);
  counted_ = now;
  asked_.Add(peer, now);
  const double least = asked_.IsLight(peer, now) ? -static_cast<double>(limit_.burst) : 0;
  if (tokens_ - 1 < least) {
    return false;
  }
  tokens_ -= 1;
  return true;
}

}  // namespace finwait::web_config
