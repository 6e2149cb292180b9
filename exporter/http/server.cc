#include "exporter/http/server.h"

#include <pthread.h>

#include <algorithm>
#include <optional>
#include <system_error>

#include "exporter/http/event_loop.h"
#include "exporter/http/listening_socket.h"
#include "exporter/http/refusal.h"
#include "exporter/http/workers.h"

namespace finwait::http {

struct HttpServer::RunningLane {
  std::map<std::string, Handler, std::less<>> routes;
  Workers workers;
};

HttpServer::HttpServer(std::vector<Lane> lanes, Limits limits, ExceptionReport report)
    : report_exception_(std::move(report)) {
  const std::size_t most = std::max<std::size_t>(1, limits.connections / 2);
  for (Lane& lane : lanes) {
    const std::size_t capacity = lane.capacity == 0 ? most : std::min(lane.capacity, most);
    lanes_.emplace_back(new RunningLane{std::move(lane.routes), {"http-" + lane.name, lane.workers, capacity}});
  }
}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(ServerOptions options) {
  std::vector<ListeningSocket> listeners;
  std::vector<std::uint16_t> ports;
  for (const ListenAddress& address : options.addresses) {
    Result<ListeningSocket> listener = Listen(address);
    if (!listener) {
      return Failure(listener.error());
    }
    ports.push_back(listener->port);
    listeners.push_back(std::move(*listener));
  }
  try {
    std::unique_ptr<HttpServer> server(
        new HttpServer(std::move(options.lanes), options.limits, std::move(options.report_exception)));
    server->ports_ = std::move(ports);
    auto loop = EventLoop::Create(std::move(listeners), options.limits,
                                  [self = server.get()](EventLoop::ConnectionId id, RequestHead head) {
                                    return self->Dispatch(id, std::move(head));
                                  });
    if (!loop) {
      return Failure(loop.error());
    }
    server->loop_ = std::move(*loop);
    server->loop_thread_ = std::thread([running = server->loop_.get()] { running->Run(); });
    pthread_setname_np(server->loop_thread_.native_handle(), "http-loop");
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
  for (const auto& lane : lanes_) {
    lane->workers.Stop();
  }
  loop_.reset();  // closes what is still open
}

std::optional<OutgoingResponse> HttpServer::Dispatch(std::uint64_t connection, RequestHead head) {
  const bool is_head = head.method == "HEAD";
  for (const auto& lane : lanes_) {
    const auto route = lane->routes.find(head.path);
    if (route == lane->routes.end()) {
      continue;
    }
    const bool taken = lane->workers.Submit([this, connection, head = std::move(head), &handler = route->second] {
      loop_->Answer(connection, http::Answer(head, handler, report_exception_));
    });
    if (taken) {
      return std::nullopt;
    }
    return Refusal(
        503, is_head,
        "Limit of concurrent requests reached (" + std::to_string(lane->workers.Capacity()) + "), try again later.");
  }
  return Refusal(404, is_head);
}

}  // namespace finwait::http
