#include "exporter/http/server.h"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <system_error>

#include "exporter/http/event_loop.h"
#include "exporter/http/fair_workers.h"
#include "exporter/http/refusal.h"

namespace finwait::http {

struct HttpServer::RunningGroup {
  bool is_unlimited;
  bool is_for_any_host;
  FairWorkers workers;
};

namespace {

/// What the check comes to. One that fails, for want of memory, lets nobody in.
std::optional<HttpResponse> Checked(const std::function<std::optional<HttpResponse>()>& check) {
  try {
    return check();
  } catch (const std::exception&) {
    return Refusal(500);
  }
}

}  // namespace

HttpServer::HttpServer(ServerOptions options)
    : router_(std::move(options.report_exception), options.limits.idle_time, options.limits.requests_per_connection),
      auth_(std::move(options.auth)),
      allowed_hosts_(std::move(options.allowed_hosts)) {
  const std::size_t most = std::max<std::size_t>(1, options.limits.connections / 2);
  for (RouteGroup& group : options.route_groups) {
    const std::size_t limited = group.capacity == 0 ? most : std::min(group.capacity, most);
    const std::size_t capacity = group.is_unlimited ? options.limits.connections : limited;
    const FairWorkers::Bounds bounds{.capacity = capacity,
                                     .waiting_per_peer = capacity,
                                     .running_per_peer = std::max<std::size_t>(1, group.workers - 1)};
    groups_.emplace_back(
        new RunningGroup{group.is_unlimited, group.is_for_any_host, {"http-" + group.name, group.workers, bounds}});
    for (auto& [path, handler] : group.routes) {
      router_.Add(path, std::move(handler));
      group_of_.emplace(path, groups_.back().get());
    }
  }
  if (auth_) {
    checks_ = std::make_unique<FairWorkers>("http-check", 2,
                                            FairWorkers::Bounds{.capacity = options.limits.checks,
                                                                .waiting_per_peer = options.limits.checks_per_peer,
                                                                .running_per_peer = 1,
                                                                .overtaking = 1});
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
        [self = server.get()](EventLoop::ConnectionId id, const Peer& peer, const RequestHead& head) {
          return self->Dispatch(id, peer, head);
        },
        [self = server.get()](const RequestHead& head) { return self->IsProbe(head); },
        [self = server.get()](const HttpResponse& refusal, bool is_head) {
          return self->router_.Refuse(refusal, is_head);
        },
        [auth = server->auth_] {
          if (auth) {
            auth->Reload();
          }
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

void HttpServer::Reload() { loop_->Reload(); }

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

bool HttpServer::IsProbe(const RequestHead& head) const {
  const auto group = group_of_.find(head.path);
  return group != group_of_.end() && group->second->is_unlimited;
}

std::optional<OutgoingResponse> HttpServer::Dispatch(std::uint64_t connection, const Peer& peer,
                                                     const RequestHead& head) {
  const auto group = group_of_.find(head.path);
  const bool is_for_any_host = group != group_of_.end() && group->second->is_for_any_host;
  if (allowed_hosts_ && !is_for_any_host &&
      !(allowed_hosts_->Allow(head.Field("Host")) && allowed_hosts_->Allow(head.authority))) {
    return router_.Refuse(head, Refusal(421), {}, false);
  }
  if (!auth_) {
    return Route(connection, peer, head, {});
  }
  AuthMiddleware::Decision decision = auth_->Decide(peer, head, IsProbe(head));
  if (decision.refusal) {
    return router_.Refuse(head, *decision.refusal, decision.headers, false);
  }
  if (!decision.check) {
    return Route(connection, peer, head, decision.headers);
  }
  checks_->Submit(
      peer, {.run = [this, connection, peer, head, decision]() -> FairWorkers::Handover {
               return [this, connection, peer, head, headers = decision.headers, refusal = Checked(decision.check)] {
                 auto answer =
                     refusal ? router_.Refuse(head, *refusal, headers, false) : Route(connection, peer, head, headers);
                 if (answer) {
                   loop_->Answer(connection, std::move(*answer));
                 }
               };
             },
             .refuse =
                 [this, connection, head, decision] {
                   loop_->Answer(connection, router_.Refuse(head, Refusal(503), decision.headers, false));
                 }});
  return std::nullopt;
}

std::optional<OutgoingResponse> HttpServer::Route(std::uint64_t connection, const Peer& peer, const RequestHead& head,
                                                  const std::vector<HeaderField>& headers) {
  const auto group = group_of_.find(head.path);
  if (group == group_of_.end()) {
    return router_.Refuse(head, Refusal(404), headers, false);
  }
  FairWorkers& workers = group->second->workers;
  workers.Submit(peer,
                 {.run = [this, connection, headers, head]() -> FairWorkers::Handover {
                    return [this, connection, answer = router_.Respond(head, headers, head.keep_alive)]() mutable {
                      loop_->Answer(connection, std::move(answer));
                    };
                  },
                  .refuse =
                      [this, connection, headers, head, capacity = workers.Capacity()] {
                        const HttpResponse full = Refusal(503, "Limit of concurrent requests reached (" +
                                                                   std::to_string(capacity) + "), try again later.");
                        loop_->Answer(connection, router_.Refuse(head, full, headers, false));
                      }});
  return std::nullopt;
}

}  // namespace finwait::http
