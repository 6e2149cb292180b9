#include "exporter/report/keepalive_terms.h"

#include <string_view>

namespace finwait::report {
namespace {

// What an application calls it; "%" stands for the seconds.
struct Terms {
  std::string_view application;
  std::uint16_t port;         // 0: told by the holder's name alone
  std::string_view holder;    // part of the holder's name
  std::string_view accepted;  // for connections that it accepts; empty: nothing can be set
  std::string_view opened;    // for those that it opens to others, or its client to it
};

constexpr Terms kTerms[] = {
    {"nginx", 0, "nginx", "so_keepalive=%s:%s:9 at its listen directive",
     "proxy_socket_keepalive on, with net.ipv4.tcp_keepalive_time = %"},
    {"Envoy", 0, "envoy", "",
     "upstream_connection_options: {tcp_keepalive: {keepalive_time: %, keepalive_interval: %}} in the cluster"},
    {"HAProxy", 0, "haproxy", "option clitcpka, clitcpka-idle %s and clitcpka-intvl %s in the frontend",
     "option srvtcpka, srvtcpka-idle %s and srvtcpka-intvl %s in the backend"},
    {"PostgreSQL", 5432, "postgres", "tcp_keepalives_idle = % and tcp_keepalives_interval = % in postgresql.conf",
     "keepalives_idle=% keepalives_interval=% in libpq's connection string, or tcpKeepAlive=true in the JDBC URL with "
     "net.ipv4.tcp_keepalive_time = %"},
    {"MySQL", 3306, "mysqld", "net.ipv4.tcp_keepalive_time = %, as mysqld switches keepalive on itself",
     "net.ipv4.tcp_keepalive_time = %, with tcpKeepAlive=true in the JDBC URL of Connector/J"},
    {"Redis", 6379, "redis", "tcp-keepalive % in redis.conf", "tcp-keepalive % in redis.conf of the server"},
    {"gRPC", 50051, "",
     "GRPC_ARG_KEEPALIVE_TIME_MS = %000 and GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS = 1 in the server",
     "GRPC_ARG_KEEPALIVE_TIME_MS = %000 and GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS = 1 in the client, if the server "
     "allows pings as often (by default, without calls, one in 5 minutes)"},
};

std::string Filled(std::string_view text, std::uint64_t seconds) {
  std::string filled;
  for (const char letter : text) {
    filled += letter == '%' ? std::to_string(seconds) : std::string(1, letter);
  }
  return filled;
}

}  // namespace

std::string KeepaliveTerms(const diagnosis::ServiceIdle& service, std::uint64_t seconds) {
  const std::string_view holder = service.owner != nullptr ? std::string_view(service.owner->name) : std::string_view();
  for (const Terms& terms : kTerms) {
    const bool by_holder = !terms.holder.empty() && holder.find(terms.holder) != std::string_view::npos;
    if (!by_holder && (terms.port == 0 || terms.port != service.service.port)) {
      continue;
    }
    const std::string_view line = service.service.at_peer ? terms.opened : terms.accepted;
    return line.empty() ? "" : "In terms of " + std::string(terms.application) + ": " + Filled(line, seconds) + ".";
  }
  return "";
}

}  // namespace finwait::report
