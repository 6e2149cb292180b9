#pragma once

#include <stdexcept>

#include "collectors/conntrack_table.h"
#include "collectors/firewall.h"
#include "collectors/netstat.h"
#include "collectors/network_namespaces.h"
#include "collectors/sockets.h"
#include "collectors/sysctl.h"
#include "collectors/tracking.h"
#include "exporter/sampling/snapshot.h"
#include "tests/unit/exporter/diagnosis/rulesets.h"

namespace finwait {

/// Snapshots as the sampler makes them, of a host whose state a test sets piece by piece.
class SnapshotBuilder {
 public:
  /// A host with nothing to see: all collectors work, no sockets, `rules`, the kernel's default settings.
  explicit SnapshotBuilder(std::shared_ptr<const firewall::Ruleset> rules) {
    FirewallSample firewall;
    firewall.ruleset = std::move(rules);
    Set(firewall);
    ConntrackTableSample table;  // some entries: conntrack is active
    for (FlowCounts& flows : table.flows) {
      flows.udp = 1;
    }
    Set(table);
    Set(SocketsSample());
    Set(TrackingSample());
    SysctlSample sysctl;
    for (auto& timeout : sysctl.conntrack_tcp_timeouts) {
      timeout = std::chrono::seconds(120);
    }
    sysctl.conntrack_tcp_timeouts[static_cast<std::size_t>(ConntrackTcpTimeout::kEstablished)] =
        std::chrono::seconds(432'000);
    sysctl.conntrack_tcp_timeouts[static_cast<std::size_t>(ConntrackTcpTimeout::kCloseWait)] = std::chrono::seconds(60);
    sysctl.conntrack_tcp_timeouts[static_cast<std::size_t>(ConntrackTcpTimeout::kLastAck)] = std::chrono::seconds(30);
    sysctl.conntrack_tcp_loose = 1;
    sysctl.conntrack_tcp_be_liberal = 0;
    sysctl.tcp_keepalive_time = std::chrono::seconds(7200);
    Set(sysctl);
    NetstatSample netstat;
    netstat.abort_failed = 0;
    Set(netstat);
  }

  template <typename T>
  void Set(T sample) {
    CollectorStatus& status = Of(T::kCollector);
    status.data = std::make_shared<T>(std::move(sample));
    status.looked = true;
    status.taken_at = now_;
    status.errors.clear();
  }
  template <typename T>
  void Fail(const std::string& message) {
    CollectorStatus& status = Of(T::kCollector);
    status.data = nullptr;
    status.looked = true;
    status.errors = {{FailureReason::kPermission, 0, message}};
  }
  void Advance(std::chrono::seconds time) { now_ += time; }
  SteadyClock::time_point Now() const { return now_; }
  std::shared_ptr<const Snapshot> Get() const { return std::make_shared<const Snapshot>(snapshot_); }

 private:
  CollectorStatus& Of(std::string_view name) {
    for (CollectorStatus& status : snapshot_.collectors) {
      if (status.info->name == name) {
        return status;
      }
    }
    for (const CollectorInfo& info : CollectorRegistry()) {
      if (info.name == name) {
        snapshot_.collectors.emplace_back().info = &info;
        return snapshot_.collectors.back();
      }
    }
    throw std::runtime_error("no such collector");
  }
  Snapshot snapshot_;
  SteadyClock::time_point now_ = SteadyClock::time_point(std::chrono::hours(1));
};

/// An open connection to 192.0.2.2:80, with its entry.
inline LiveSocket OpenSocket(std::uint64_t cookie) {
  LiveSocket socket;
  socket.cookie = cookie;
  socket.local = *Endpoint::Parse("192.0.2.1:" + std::to_string(40000 + cookie));
  socket.peer = *Endpoint::Parse("192.0.2.2:80");
  socket.tracking = Tracking::kTracked;
  socket.entry_state = ConntrackTcpState::kEstablished;
  socket.remaining_seconds = 3;
  return socket;
}

/// The same without its entry.
inline LiveSocket ForgottenSocket(std::uint64_t cookie, TcpState state = TcpState::kEstablished) {
  LiveSocket socket = OpenSocket(cookie);
  socket.tracking = Tracking::kUntracked;
  socket.entry_state.reset();
  socket.remaining_seconds = 0;
  socket.state = state;
  return socket;
}

/// The same closed, its FIN unsent.
inline ClosingSocket StuckClosing(std::uint64_t cookie) {
  const LiveSocket live = OpenSocket(cookie);
  ClosingSocket socket;
  socket.cookie = cookie;
  socket.local = live.local;
  socket.peer = live.peer;
  socket.orphan = true;
  socket.timer = SocketTimer::kProbe;
  socket.tries = 3;
  socket.unsent = 1;
  socket.send_window = 65535;
  socket.minimum_age = std::chrono::seconds(2);
  return socket;
}

}  // namespace finwait
