#include "exporter/http/server.h"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <system_error>

#include "exporter/http/event_loop.h"
#include "exporter/http/password_checks.h"
#include "exporter/http/refusal.h"
#include "exporter/http/workers.h"

namespace finwait::http {

struct HttpServer::RunningGroup {
  std::map<std::string, Handler, std::less<>> routes;
  Workers workers;
};

HttpServer::HttpServer(ServerOptions options)
    : report_exception_(std::move(options.report_exception)), auth_(std::move(options.auth)) {
  const std::size_t most = std::max<std::size_t>(1, options.limits.connections / 2);
  for (RouteGroup& group : options.route_groups) {
    const std::size_t capacity = group.capacity == 0 ? most : std::min(group.capacity, most);
    groups_.emplace_back(new RunningGroup{std::move(group.routes), {"http-" + group.name, group.workers, capacity}});
  }
  if (auth_) {
    checks_ = std::make_unique<PasswordChecks>(options.limits.checks, options.limits.checks_per_peer);
  }
}

Result<std::vector<ListeningSocket>> HttpServer::Listen(std::span<const ListenAddress> addresses) {
  std::vector<ListeningSocket> listeners;
  for (const ListenAddress& address : addresses) {
    Result<ListeningSocket> listener = http::Listen(address);
    if (!listener) {
      return Failure(listener.error());
    }
    listeners.push_back(std::move(*listener));
  }
  return listeners;
}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(ServerOptions options) {
  auto listeners = Listen(options.addresses);
  if (!listeners) {
    return Failure(listeners.error());
  }
  return Start(std::move(options), std::move(*listeners));
}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(ServerOptions options, std::vector<ListeningSocket> listeners) {
  std::vector<std::uint16_t> ports;
  ports.reserve(listeners.size());
  for (const ListeningSocket& listener : listeners) {
    ports.push_back(listener.port);
  }
  try {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets without MSG_NOSIGNAL
    const Limits limits = options.limits;
    std::shared_ptr<TlsSessions> tls = std::move(options.tls);
    std::unique_ptr<HttpServer> server(new HttpServer(std::move(options)));
    server->ports_ = std::move(ports);
    auto loop = EventLoop::Create(
        std::move(listeners), limits,
        [self = server.get()](EventLoop::ConnectionId id, const Peer& peer, RequestHead head) {
          return self->Dispatch(id, peer, std::move(head));
        },
        std::move(tls));
    if (!loop) {
      return Failure(loop.error());
    }
    server->loop_ = std::move(*loop);
    server->loop_thread_ = std::thread([running = server->loop_.get()] {
      pthread_setname_np(pthread_self(), "http-loop");
      running->Run();
    });
    return server;
  } catch (const std::system_error& error) {  // no thread to be had
    return FailErrno("cannot start the HTTP server", error.code().value());
  }
}

HttpServer::~HttpServer() { Stop(); }

void HttpServer::Stop() {
  if (!loop_thread_.joinable()) {
    return;
  }
  loop_->Stop();
  loop_thread_.join();
  if (checks_) {
    checks_->Stop();
  }
  for (const auto& group : groups_) {
    group->workers.Stop();
  }
  loop_.reset();  // closes what is still open
}

std::optional<OutgoingResponse> HttpServer::Dispatch(std::uint64_t connection, const Peer& peer, RequestHead head) {
  if (!auth_) {
    return Route(connection, std::move(head), {});
  }
  AuthMiddleware::Decision decision = auth_->Decide(head);
  const auto refuse = [](const RequestHead& to, const HttpResponse& refusal, const std::vector<HeaderField>& headers) {
    return http::Answer(
        to, [&](const HttpRequest&) { return refusal; }, nullptr, headers);
  };
  if (decision.refusal) {
    return refuse(head, *decision.refusal, decision.headers);
  }
  if (!decision.check) {
    return Route(connection, std::move(head), decision.headers);
  }
  const bool is_head = head.method == "HEAD";
  const std::vector<HeaderField> headers = decision.headers;
  const bool taken = checks_->Submit(peer, [this, connection, refuse, head = std::move(head), decision] {
    const std::optional<HttpResponse> refusal = decision.check();
    auto answer =
        refusal ? refuse(head, *refusal, decision.headers) : Route(connection, RequestHead(head), decision.headers);
    if (answer) {
      loop_->Answer(connection, std::move(*answer));
    }
  });
  if (taken) {
    return std::nullopt;
  }
  return Refusal(503, is_head, "", headers);
}

std::optional<OutgoingResponse> HttpServer::Route(std::uint64_t connection, RequestHead head,
                                                  const std::vector<HeaderField>& headers) {
  const bool is_head = head.method == "HEAD";
  for (const auto& group : groups_) {
    const auto route = group->routes.find(head.path);
    if (route == group->routes.end()) {
      continue;
    }
    const bool taken =
        group->workers.Submit([this, connection, headers, head = std::move(head), &handler = route->second] {
          loop_->Answer(connection, http::Answer(head, handler, report_exception_, headers));
        });
    if (taken) {
      return std::nullopt;
    }
    return Refusal(
        503, is_head,
        "Limit of concurrent requests reached (" + std::to_string(group->workers.Capacity()) + "), try again later.",
        headers);
  }
  return Refusal(404, is_head, "", headers);
}

}  // namespace finwait::http
