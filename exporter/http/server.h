#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "collectors/base/result.h"
#include "exporter/http/allowed_hosts.h"
#include "exporter/http/auth_middleware.h"
#include "exporter/http/limits.h"
#include "exporter/http/listen_address.h"
#include "exporter/http/listening_socket.h"
#include "exporter/http/message.h"
#include "exporter/http/peer.h"
#include "exporter/http/router.h"
#include "exporter/http/tls_sessions.h"

namespace finwait::http {

class EventLoop;
class FairWorkers;

/// Paths that share worker threads and a bound on requests under way. Groups do not touch each other: a flood on one,
/// or a handler that hangs there, leaves the others as they are.
struct RouteGroup {
  std::string name;                                    ///< of its threads, for tools
  std::map<std::string, Handler, std::less<>> routes;  ///< by path, exactly
  std::size_t workers = 1;
  /// Requests that wait and are being answered, taken together; one more is 503, and so is the newest of the peer with
  /// most, where one with less comes. 0, and anything more than half of Limits::connections, means that half.
  std::size_t capacity = 16;
  /// For probes, which tell whether to end the process: outside of every limit. Their connections are the last to be
  /// ended where there are too many.
  bool is_unlimited = false;
  /// Answers whatever host was asked for; else AllowedHosts decides.
  bool is_for_any_host = false;
};

struct ServerOptions {
  std::vector<ListenAddress> addresses;
  std::vector<RouteGroup> route_groups;
  Limits limits;
  ExceptionReport report_exception;
  std::shared_ptr<TlsSessions> tls;           ///< null: plain HTTP
  std::shared_ptr<AuthMiddleware> auth;       ///< null: everybody passes
  std::optional<AllowedHosts> allowed_hosts;  ///< null: any; others are 421, but for RouteGroup::is_for_any_host
};

/// An HTTP/1.1 server for an exporter: GET and HEAD, one request of a connection at a time, nothing that a client can
/// hold up.
///
/// One thread (EventLoop) owns all sockets: it accepts, reads request heads under a byte budget and a deadline, and
/// sends responses to readers as slow as they like, without ever waiting for one. Whatever is scarce (connections, TLS
/// handshakes, password checks, workers) is given to the peer that has had least of it (PeerUsage). Only a complete,
/// well-formed request meets a worker thread, where the one cpp-httplib server (Router) parses it, routes it and writes
/// the answer's head, on memory alone. cpp-httplib 0.11.4 is not given sockets, because there it lets a client block a
/// thread a connection, buffers a header without end, decodes header values, and opens its port with SO_REUSEPORT;
/// tests/unit/exporter/http has a test for each.
///
/// With TLS, handshakes have threads of their own, within the same deadline and byte budget; sessions are
/// not resumed, so what TlsSessions gives out takes effect on the next connection.
///
/// Threads inherit the signal mask of the caller of Start. SIGPIPE becomes ignored in the whole process.
class HttpServer {
 public:
  /// Listens on every address, or on none: the error names the address and port that could not be had. Starts no
  /// thread, so that privileges can be given up before the first.
  static Result<std::vector<ListeningSocket>> Listen(std::span<const ListenAddress> addresses);
  /// Serves on `listeners`; `options.addresses` is not looked at.
  static Result<std::unique_ptr<HttpServer>> Start(ServerOptions options, std::vector<ListeningSocket> listeners);
  /// Both.
  static Result<std::unique_ptr<HttpServer>> Start(ServerOptions options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// The ports listened on, in the order of the addresses.
  const std::vector<std::uint16_t>& Ports() const { return ports_; }

  /// Has TLS and authentication look at what they are made from, now and not at the next request. Returns at once.
  void Reload();
  /// Stops listening at once, gives requests under way Limits::stop_time to be answered and read, then returns as soon
  /// as the handlers that still run do. Later calls do nothing. Not to be called from a handler.
  void Stop();

 private:
  struct RunningGroup;

  explicit HttpServer(ServerOptions options);
  bool IsProbe(const RequestHead& head) const;
  std::optional<OutgoingResponse> Dispatch(std::uint64_t connection, const Peer& peer, const RequestHead& head);
  std::optional<OutgoingResponse> Route(std::uint64_t connection, const Peer& peer, const RequestHead& head,
                                        const std::vector<HeaderField>& headers);

  Router router_;
  std::shared_ptr<AuthMiddleware> auth_;
  std::optional<AllowedHosts> allowed_hosts_;
  std::unique_ptr<FairWorkers> checks_;  ///< null without a middleware
  std::vector<std::uint16_t> ports_;
  std::map<std::string, RunningGroup*, std::less<>> group_of_;  ///< by path
  std::vector<std::unique_ptr<RunningGroup>> groups_;
  std::unique_ptr<EventLoop> loop_;
  std::thread loop_thread_;
};

}  // namespace finwait::http
