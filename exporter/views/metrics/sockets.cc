#include "collectors/sources/sockets.h"
#include "collectors/sources/network_namespaces.h"

#include <string>

#include "exporter/views/metrics/families.h"
#include "exporter/views/metrics/family.h"

namespace finwait::views::metrics {
namespace {

constexpr kernel::TcpState kOrphanStates[] = {kernel::TcpState::kFinWait1, kernel::TcpState::kFinWait2,
                                              kernel::TcpState::kClosing, kernel::TcpState::kLastAck};

void AddByCause(const diagnosis::StuckHistory::Totals& values, Family& family) {
  for (std::size_t state = 0; state < std::size(diagnosis::kStuckStates); ++state) {
    for (std::size_t cause = 0; cause < std::size(diagnosis::kCauses); ++cause) {
      family.Add({{"state", Name(diagnosis::kStuckStates[state])}, {"cause", Name(diagnosis::kCauses[cause])}},
                 static_cast<double>(values[state][cause]));
    }
  }
}

void AppendStuck(const diagnosis::StuckSummary& stuck, Families& families) {
  Family now =
      Family::Gauge("tcp_stuck_sockets",
                    "Closing sockets with at least 2 unanswered tries, orphaned or not, by why (sock_diag, tcp_info).");
  AddByCause(stuck.now, now);
  now.AppendTo(families);

  Family undetermined = Family::Gauge("tcp_stuck_sockets_undetermined",
                                      "Stuck sockets whose cause cannot be told: a collector is unavailable, or has no "
                                      "sample since the close; not among "
                                      "finwait_tcp_stuck_sockets.");
  Family oldest = Family::Gauge("tcp_stuck_socket_oldest_seconds",
                                "How long the longest-stuck socket has been closing, at least; 0 where none is stuck.");
  for (std::size_t state = 0; state < std::size(diagnosis::kStuckStates); ++state) {
    undetermined.Add({{"state", Name(diagnosis::kStuckStates[state])}}, static_cast<double>(stuck.undetermined[state]));
    oldest.Add({{"state", Name(diagnosis::kStuckStates[state])}}, stuck.oldest_seconds[state]);
  }
  undetermined.AppendTo(families);

  Family total =
      Family::Counter("tcp_sockets_stuck_total",
                      "Sockets that were stuck, each counted once under its first settled cause, even if it came and "
                      "went between two scrapes.");
  AddByCause(stuck.total, total);
  total.AppendTo(families);
  oldest.AppendTo(families);
}

void AppendLive(const diagnosis::LiveSummary& live, bool active, Families& families) {
  if (active) {
    Family::Gauge("tcp_untracked_sockets", "Live sockets without a conntrack entry (sock_diag joined with ctnetlink).")
        .Add({{"state", "established"}}, static_cast<double>(live.untracked_established))
        .Add({{"state", "close_wait"}}, static_cast<double>(live.untracked_close_wait))
        .AppendTo(families);
  }
  Family at_risk =
      Family::Gauge("tcp_at_risk_sockets",
                    "Live sockets without an entry that would stick, or leave their peer stuck, if closed now.");
  for (std::size_t i = 0; i < std::size(diagnosis::kFatesAtRisk); ++i) {
    at_risk.Add({{"fate", Name(diagnosis::kFatesAtRisk[i])}}, static_cast<double>(live.at_risk[i]));
  }
  at_risk.AppendTo(families);
  if (live.expiring) {
    Family::Gauge("tcp_expiring_sockets",
                  "Live sockets with less than half of their entry's timeout left and no keepalive due before it ends.")
        .Add({}, static_cast<double>(*live.expiring))
        .AppendTo(families);
  }
}

void AppendIdle(const diagnosis::IdleSummary& idle, Families& families) {
  Family::Histogram("tcp_idle_seconds",
                    "Live sockets by time since the last packet either way, those now; may fall, never rate() it "
                    "(tcp_info).")
      .Add({}, idle.idle)
      .AppendTo(families);
  Family outlived =
      Family::Gauge("tcp_outlived_sockets",
                    "Live sockets that have been silent for longer than `timeout` seconds: a tracker with "
                    "that timeout has forgotten them (tcp_info).");
  for (std::size_t i = 0; i < diagnosis::kTimeoutLadder.size(); ++i) {
    outlived.Add({{"timeout", std::to_string(diagnosis::kTimeoutLadder[i])}}, static_cast<double>(idle.outlived[i]));
  }
  outlived.AppendTo(families);
  Family paths = Family::Gauge("tcp_path_expiring_sockets",
                               "Live sockets to peers of `path` that have been silent for longer than its timeout "
                               "(--path.timeout).");
  for (const diagnosis::PathIdle& path : idle.paths) {
    paths.Add({{"path", path.path.network}}, static_cast<double>(path.expiring));
  }
  paths.AppendTo(families);
  Family keepalives =
      Family::Gauge("tcp_keepalive_sockets",
                    "Live sockets by TCP keepalive: off, longer than the timeout of conntrack or of the "
                    "path, or sufficient (sock_diag's timer).");
  for (const diagnosis::Keepalive keepalive : diagnosis::kKeepalives) {
    keepalives.Add({{"keepalive", Name(keepalive)}},
                   static_cast<double>(idle.by_keepalive[static_cast<std::size_t>(keepalive)]));
  }
  keepalives.AppendTo(families);
}

void AppendPredictions(const diagnosis::PredictionOutcomes::Totals& totals, Families& families) {
  Family outcomes = Family::Counter("prediction_outcomes_total",
                                    "Live sockets without an entry that have closed, by the fate predicted last and by "
                                    "what became of them (sock_diag, TCPAbortFailed).");
  for (const diagnosis::Fate fate : diagnosis::kFates) {
    for (const diagnosis::PredictionOutcome outcome : diagnosis::kPredictionOutcomes) {
      outcomes.Add({{"fate", Name(fate)}, {"outcome", Name(outcome)}},
                   static_cast<double>(totals[static_cast<std::size_t>(fate)][static_cast<std::size_t>(outcome)]));
    }
  }
  outcomes.AppendTo(families);
}

}  // namespace

void AppendSockets(const diagnosis::Diagnosis& diagnosis, Families& families) {
  const auto* sample = diagnosis.snapshot->Find<sources::SocketsSample>();
  if (sample == nullptr) {
    return;
  }
  auto counts = sample->counts;
  kernel::SocketCounts orphaned = sample->orphans;
  if (const auto* others = diagnosis.snapshot->Find<sources::NetworkNamespacesSample>()) {
    for (const sources::OtherNamespace& one : others->namespaces) {
      for (std::size_t state = 0; state < kernel::kTcpStateCount; ++state) {
        counts[0][state] += one.counts[0][state];
        counts[1][state] += one.counts[1][state];
        orphaned[state] += one.orphans[state];
      }
    }
  }
  Family sockets = Family::Gauge("tcp_sockets",
                                 "TCP sockets of all network namespaces that are seen, by the packets' IP version "
                                 "(sock_diag; procfs for other namespaces).");
  for (const IpFamily family : kIpFamilies) {
    for (std::size_t state = 0; state < kernel::kTcpStateCount; ++state) {
      sockets.Add({{"family", Name(family)}, {"state", Name(static_cast<kernel::TcpState>(state))}},
                  static_cast<double>(counts[family][state]));
    }
  }
  sockets.AppendTo(families);

  Family orphans = Family::Gauge("tcp_orphans", "Closing sockets that no process holds (sock_diag, idiag_inode 0).");
  for (const kernel::TcpState state : kOrphanStates) {
    orphans.Add({{"state", Name(state)}}, static_cast<double>(orphaned[static_cast<std::size_t>(state)]));
  }
  orphans.AppendTo(families);

  if (diagnosis.stuck) {
    AppendStuck(*diagnosis.stuck, families);
  }
  if (diagnosis.live) {
    const auto& active = diagnosis.conntrack_active;
    AppendLive(*diagnosis.live, active[0] == true || active[1] == true, families);
  }
  if (diagnosis.idle) {
    AppendIdle(*diagnosis.idle, families);
  }
  if (diagnosis.predictions) {
    AppendPredictions(*diagnosis.predictions, families);
  }
}

}  // namespace finwait::views::metrics
