#pragma once

#include <chrono>
#include <cstddef>

#include "exporter/http/request_reader.h"

namespace finwait::http {

/// What clients, all together, can make the server spend.
struct Limits {
  HeadLimits head;
  /// What a client may send for one request, TLS handshake and records included.
  std::size_t raw_bytes = 160 * 1024;
  /// From accept to the end. A request that is not complete by then is 408; a response that is not read by then is cut.
  std::chrono::milliseconds connection_time{10'000};
  /// How long a client that has all of its response may take to close.
  std::chrono::milliseconds half_close_time{1'000};
  /// How long Stop waits for requests under way.
  std::chrono::milliseconds stop_time{2'000};
  /// Open connections, in all and of one peer (an IPv4 address or an IPv6 /64). One more ends the oldest that waits for
  /// its client, so that those who are slow give way to those who are not.
  std::size_t connections = 256;
  std::size_t connections_per_peer = 96;
  /// Requests whose AuthMiddleware::Decision::check waits or runs, in all and of one peer. One more is 503.
  std::size_t checks = 8;
  std::size_t checks_per_peer = 2;
  /// Response bytes that wait for their readers. More ends the slowest readers, oldest first.
  std::size_t unsent_bytes = 16 * 1024 * 1024;
};

}  // namespace finwait::http
