#pragma once

#include "collectors/base/result.h"
#include "exporter/web_config/web_config.h"

namespace finwait::web_config {

/// Lets `burst` requests pass at once and one more after each `interval`.
class TokenBucket {
 public:
  /// Full at the start, which is `now`.
  TokenBucket(RateLimit limit, SteadyClock::time_point now) : limit_(limit), tokens_(limit.burst), counted_(now) {}

  /// Whether one more may pass.
  bool Take(SteadyClock::time_point now);

 private:
  const RateLimit limit_;
  double tokens_;
  SteadyClock::time_point counted_;  ///< the moment that tokens_ is of
};

}  // namespace finwait::web_config
