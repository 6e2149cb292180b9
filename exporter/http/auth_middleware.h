#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "exporter/http/message.h"
#include "exporter/http/peer.h"
#include "exporter/http/request_reader.h"

namespace finwait::http {

/// What stands before every route: it lets a well-formed request pass, answers it itself, or needs to work on it first.
class AuthMiddleware {
 public:
  struct Decision {
    /// For the answer, whoever gives it; a field that the answer has itself is left alone.
    std::vector<HeaderField> headers;
    /// The answer, where the request does not pass.
    std::optional<HttpResponse> refusal;
    /// Where there is no refusal yet: work that is too much for the event loop. Runs on a thread that does nothing
    /// else, for two peers at once at most; returns the refusal, if it comes to one.
    std::function<std::optional<HttpResponse>()> check;
  };

  virtual ~AuthMiddleware() = default;
  /// `is_unlimited`: the path is outside of rate limits (RouteGroup). Called on the event loop, which waits:
  /// microseconds, please.
  virtual Decision Decide(const Peer& peer, const RequestHead& head, bool is_unlimited) = 0;
  /// Looks at what it is made from again, now. Called on the event loop.
  virtual void Reload() {}
};

}  // namespace finwait::http
