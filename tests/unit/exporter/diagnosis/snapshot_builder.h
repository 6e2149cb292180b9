#pragma once

#include <stdexcept>

#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/firewall.h"
#include "collectors/sources/netstat.h"
#include "collectors/sources/network_namespaces.h"
#include "collectors/sources/sockets.h"
#include "collectors/sources/sysctl.h"
#include "collectors/sources/tracking.h"
#include "exporter/scheduling/snapshot.h"
#include "tests/unit/exporter/diagnosis/rulesets.h"

namespace finwait::diagnosis {

/// Snapshots as the sampler makes them, of a host whose state a test sets piece by piece.
class SnapshotBuilder {
 public:
  /// A host with nothing to see: all collectors work, no sockets, `rules`, the kernel's default settings.
  explicit SnapshotBuilder(std::shared_ptr<const firewall::Ruleset> rules) {
    sources::FirewallSample firewall;
    firewall.ruleset = std::move(rules);
    Set(firewall);
    sources::ConntrackTableSample table;  // some entries: conntrack is active
    for (sources::FlowCounts& flows : table.flows) {
      flows.udp = 1;
    }
    Set(table);
    Set(sources::SocketsSample());
    Set(sources::TrackingSample());
    sources::SysctlSample sysctl;
    for (auto& timeout : sysctl.conntrack_tcp_timeouts) {
      timeout = std::chrono::seconds(120);
    }
    sysctl.conntrack_tcp_timeouts[static_cast<std::size_t>(sources::ConntrackTcpTimeout::kEstablished)] =
        std::chrono::seconds(432'000);
    sysctl.conntrack_tcp_timeouts[static_cast<std::size_t>(sources::ConntrackTcpTimeout::kCloseWait)] =
        std::chrono::seconds(60);
    sysctl.conntrack_tcp_timeouts[static_cast<std::size_t>(sources::ConntrackTcpTimeout::kLastAck)] =
        std::chrono::seconds(30);
    sysctl.conntrack_tcp_loose = 1;
    sysctl.conntrack_tcp_be_liberal = 0;
    sysctl.tcp_keepalive_time = std::chrono::seconds(7200);
    Set(sysctl);
    sources::NetstatSample netstat;
    netstat.abort_failed = 0;
    Set(netstat);
  }

  template <typename T>
  void Set(T sample) {
    scheduling::CollectorStatus& status = Of(T::kCollector);
    status.data = std::make_shared<T>(std::move(sample));
    status.collected = true;
    status.taken_at = now_;
    status.errors.clear();
  }
  template <typename T>
  void Fail(const std::string& message) {
    scheduling::CollectorStatus& status = Of(T::kCollector);
    status.data = nullptr;
    status.collected = true;
    status.errors = {{FailureReason::kPermission, 0, message}};
  }
  void Advance(std::chrono::seconds time) { now_ += time; }
  SteadyClock::time_point Now() const { return now_; }
  std::shared_ptr<const scheduling::Snapshot> Get() const {
    return std::make_shared<const scheduling::Snapshot>(snapshot_);
  }

 private:
  scheduling::CollectorStatus& Of(std::string_view name) {
    for (scheduling::CollectorStatus& status : snapshot_.collectors) {
      if (status.info->name == name) {
        return status;
      }
    }
    for (const sources::CollectorInfo& info : sources::CollectorRegistry()) {
      if (info.name == name) {
        snapshot_.collectors.emplace_back().info = &info;
        return snapshot_.collectors.back();
      }
    }
    throw std::runtime_error("no such collector");
  }
  scheduling::Snapshot snapshot_;
  SteadyClock::time_point now_ = SteadyClock::time_point(std::chrono::hours(1));
};

/// An open connection to 192.0.2.2:80, with its entry.
inline kernel::TcpSocket OpenSocket(std::uint64_t cookie) {
  kernel::TcpSocket socket;
  socket.cookie = cookie;
  socket.local = *Endpoint::Parse("192.0.2.1:" + std::to_string(40000 + cookie));
  socket.peer = *Endpoint::Parse("192.0.2.2:80");
  socket.entry.tracking = kernel::Tracking::kTracked;
  socket.entry.state = kernel::ConntrackTcpState::kEstablished;
  socket.entry.remaining_seconds = 3;
  return socket;
}

/// The same without its entry.
inline kernel::TcpSocket ForgottenSocket(std::uint64_t cookie,
                                         kernel::TcpState state = kernel::TcpState::kEstablished) {
  kernel::TcpSocket socket = OpenSocket(cookie);
  socket.entry = {};
  socket.entry.tracking = kernel::Tracking::kUntracked;
  socket.state = state;
  return socket;
}

/// The same closed without its entry, its FIN unsent.
inline kernel::TcpSocket StuckClosing(std::uint64_t cookie) {
  kernel::TcpSocket socket = ForgottenSocket(cookie, kernel::TcpState::kFinWait1);
  socket.orphan = true;
  socket.timer = kernel::SocketTimer::kProbe;
  socket.tries = 3;
  socket.unsent = 1;
  socket.send_window = 65535;
  socket.minimum_age = std::chrono::seconds(2);
  return socket;
}

}  // namespace finwait::diagnosis
