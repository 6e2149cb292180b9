#include "exporter/report/keepalive_terms.h"

#include <algorithm>
#include <string_view>

namespace finwait::report {
namespace {

// What an application calls it; "%" stands for the seconds, "#" for the interval, "@" for the count of probes.
struct Terms {
  std::string_view application;
  std::uint16_t port;         // 0: told by the holder's name alone
  std::string_view holder;    // part of the holder's name
  std::string_view accepted;  // for connections that it accepts
  std::string_view opened;    // for those that it opens to others, or its client to it
};

constexpr std::string_view kGoAccepts =
    "net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: % * time.Second, Interval: # * "
    "time.Second, Count: @}} (Go 1.23; 15 s and 15 s by default: look for what is longer or switched off)";
constexpr std::string_view kGoOpens =
    "net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: % * time.Second, Interval: # * time.Second, "
    "Count: @}} (Go 1.23; 15 s and 15 s by default: look for what is longer or switched off)";

constexpr Terms kTerms[] = {
    {"nginx", 0, "nginx", "so_keepalive=%s:#s:@ at its listen directive",
     "proxy_socket_keepalive on, with net.ipv4.tcp_keepalive_time = % and net.ipv4.tcp_keepalive_intvl = #"},
    {"Envoy", 0, "envoy",
     "socket_options of the listener, each with state: STATE_LISTENING: {level: 1, name: 9, int_value: 1} "
     "(SO_KEEPALIVE), {level: 6, name: 4, int_value: %} (TCP_KEEPIDLE), {level: 6, name: 5, int_value: #} "
     "(TCP_KEEPINTVL), {level: 6, name: 6, int_value: @} (TCP_KEEPCNT)",
     "upstream_connection_options: {tcp_keepalive: {keepalive_time: %, keepalive_interval: #, keepalive_probes: @}} in "
     "the cluster"},
    {"HAProxy", 0, "haproxy", "option clitcpka, clitcpka-idle %s, clitcpka-intvl #s and clitcpka-cnt @ in the frontend",
     "option srvtcpka, srvtcpka-idle %s, srvtcpka-intvl #s and srvtcpka-cnt @ in the backend"},
    {"PostgreSQL", 5432, "postgres",
     "tcp_keepalives_idle = %, tcp_keepalives_interval = # and tcp_keepalives_count = @ in postgresql.conf",
     "keepalives_idle=% keepalives_interval=# keepalives_count=@ in libpq's connection string, or tcpKeepAlive=true in "
     "the JDBC URL with net.ipv4.tcp_keepalive_time = % and net.ipv4.tcp_keepalive_intvl = #"},
    {"MySQL", 3306, "mysqld",
     "net.ipv4.tcp_keepalive_time = % and net.ipv4.tcp_keepalive_intvl = #, as mysqld switches keepalive on itself",
     "net.ipv4.tcp_keepalive_time = % and net.ipv4.tcp_keepalive_intvl = #, with tcpKeepAlive=true in the JDBC URL of "
     "Connector/J"},
    {"Redis", 6379, "redis",
     "tcp-keepalive % in redis.conf, which sets the interval to a third of it and the count to 3",
     "tcp-keepalive % in redis.conf of the server, which sets the interval to a third of it and the count to 3"},
    {"gRPC", 50051, "",
     "GRPC_ARG_KEEPALIVE_TIME_MS = %000, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS = 1 and "
     "GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA = 0 (no limit) in the server",
     "GRPC_ARG_KEEPALIVE_TIME_MS = %000, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS = 1 and "
     "GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA = 0 (no limit) in the client, if the server allows pings as often "
     "(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5 minutes by default)"},
    // Well-known programs that are written in Go.
    {"Go", 2379, "etcd", kGoAccepts, kGoOpens},
    {"Go", 0, "prometheus", kGoAccepts, kGoOpens},
    {"Go", 0, "traefik", kGoAccepts, kGoOpens},
    {"Go", 0, "caddy", kGoAccepts, kGoOpens},
    {"Go", 0, "kube", kGoAccepts, kGoOpens},
    {"Go", 0, "consul", kGoAccepts, kGoOpens},
};

std::string Filled(std::string_view text, std::uint64_t idle) {
  constexpr std::string_view kCount = "9";  // the kernel's default (tcp_keepalive_probes)
  std::string filled;
  for (const char letter : text) {
    switch (letter) {
      case '%':
        filled += std::to_string(idle);
        break;
      case '#':
        filled += std::to_string(KeepaliveInterval(idle));
        break;
      case '@':
        filled += kCount;
        break;
      default:
        filled += letter;
    }
  }
  return filled;
}

}  // namespace

std::uint64_t KeepaliveInterval(std::uint64_t idle) {
  constexpr std::uint64_t kKernelsDefault = 75;  // tcp_keepalive_intvl
  return std::min(idle, kKernelsDefault);
}

std::string KeepaliveTerms(const diagnosis::ServiceIdle& service, std::uint64_t idle) {
  const std::string_view holder = service.owner != nullptr ? std::string_view(service.owner->name) : std::string_view();
  const Terms* known = nullptr;
  for (const Terms& terms : kTerms) {
    // The holder's name says more than the port.
    if (!terms.holder.empty() && holder.find(terms.holder) != std::string_view::npos) {
      known = &terms;
      break;
    }
    if (known == nullptr && terms.port != 0 && terms.port == service.service.port) {
      known = &terms;
    }
  }
  if (known != nullptr) {
    return "In terms of " + std::string(known->application) + ": " +
           Filled(service.service.at_peer ? known->opened : known->accepted, idle) + ".";
  }
  return "If it is written in Go: " + Filled(service.service.at_peer ? kGoOpens : kGoAccepts, idle) + ".";
}

}  // namespace finwait::report
