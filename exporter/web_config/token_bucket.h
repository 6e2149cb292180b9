#pragma once

#include "collectors/base/result.h"
#include "exporter/http/peer.h"
#include "exporter/http/peer_usage.h"
#include "exporter/web_config/web_config.h"

namespace finwait::web_config {

/// Lets `burst` requests pass at once and one more after each `interval`, of all peers together. Who asks far less than
/// the others do (PeerUsage::IsLight, of requests asked, refused ones too) may borrow from the time to come, up to
/// another burst: the others wait until that is paid back, so that no flood keeps such a peer out, and the rate of all
/// stays what it is.
class TokenBucket {
 public:
  /// Full at the start, which is `now`.
  TokenBucket(RateLimit limit, SteadyClock::time_point now) : limit_(limit), tokens_(limit.burst), counted_(now) {}

  /// Whether one more of that peer may pass.
  bool Take(const http::Peer& peer, SteadyClock::time_point now);

 private:
  const RateLimit limit_;
  double tokens_;                    ///< below 0: borrowed
  SteadyClock::time_point counted_;  ///< the moment that tokens_ is of
  http::PeerUsage asked_;
};

}  // namespace finwait::web_config
