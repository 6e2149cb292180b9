#pragma once

#include <chrono>
#include <cstddef>

#include "exporter/http/request_reader.h"

namespace finwait::http {

/// What clients, all together, can make the server spend.
struct Limits {
  HeadLimits head;
  /// What a client may send for one request; for the first one TLS handshake and records included.
  std::size_t raw_bytes = 160 * 1024;
  /// From accept, or from the first byte of a later request, to the end of its answer. A request that is not complete
  /// by then is 408; a response that is not read by then is cut.
  std::chrono::milliseconds connection_time{10'000};
  /// How long a client that has all of its response may take to close.
  std::chrono::milliseconds half_close_time{1'000};
  /// Requests that a connection may carry, one after the other: 1 closes it after the first.
  std::size_t requests_per_connection = 1;
  /// How long a connection is kept for its next request. Whole seconds, as the client is told.
  std::chrono::seconds idle_time{75};
  /// How long Stop waits for requests under way.
  std::chrono::milliseconds stop_time{2'000};
  /// Open connections, in all and of one peer (an IPv4 address or an IPv6 /64). One more ends the oldest that waits for
  /// its client, of that peer or of the one that holds most.
  std::size_t connections = 256;
  std::size_t connections_per_peer = 96;
  /// Requests whose password is being checked or waits for that (AuthMiddleware::Decision::check), in all and waiting
  /// of one peer. One more is 503, and so is the newest of the peer with most, where one with less comes.
  std::size_t checks = 64;
  std::size_t checks_per_peer = 1;
  /// Response bytes that wait for their readers. More ends the oldest readers of the peer for whom most
  /// waits.
  std::size_t unsent_bytes = 16 * 1024 * 1024;
};

}  // namespace finwait::http
