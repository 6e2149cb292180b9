#pragma once

#include <gtest/gtest.h>
#include <httplib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "exporter/http/server.h"
#include "tests/unit/exporter/http/client.h"

namespace finwait::http {

/// A server on a loopback port of its own, with a route group for health ("/healthz") and one for everything else:
/// "/metrics",
/// "/hello" and what a test adds.
class ServerFixture : public testing::Test {
 protected:
  ServerFixture() {
    options_.addresses = {{"127.0.0.1", 0}};
    options_.route_groups = {{.name = "health", .routes = {}, .workers = 1, .capacity = 16},
                             {.name = "rest", .routes = {}, .workers = 2, .capacity = 40}};
    options_.route_groups[0].routes["/healthz"] = [](const httplib::Request&) {
      return MakeResponse(200, "text/plain", "OK\n");
    };
    Route("/metrics") = [](const httplib::Request&) {
      return MakeResponse(200, "text/plain; version=0.0.4", std::string(60'000, 'm'));
    };
    Route("/hello") = [](const httplib::Request& request) {
      return MakeResponse(200, "text/plain", "hello " + Parameter(request, "name").value_or("you"));
    };
  }

  Handler& Route(const std::string& path) { return options_.route_groups[1].routes[path]; }

  void Start() {
    auto server = HttpServer::Start(options_);
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }

  std::uint16_t Port() const { return server_->Ports()[0]; }
  testing_client::Reply Get(const std::string& path, const std::string& headers = "",
                            const std::string& method = "GET") const {
    return testing_client::Get(Port(), path, headers, method);
  }

  ServerOptions options_;
  std::unique_ptr<HttpServer> server_;
};

/// File descriptors of this process.
inline std::ptrdiff_t OpenDescriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

/// What a client of the fixture sends to ask for a path.
inline std::string RequestFor(const std::string& path) { return "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n"; }

}  // namespace finwait::http
