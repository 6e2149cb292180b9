#include "collectors/sources/netstat.h"

#include "exporter/views/metrics/families.h"
#include "exporter/views/metrics/family.h"

namespace finwait::views::metrics {
namespace {

struct Row {
  std::string_view name;
  std::string_view help;
  std::optional<std::uint64_t> sources::NetstatSample::*value;
};

constexpr Row kRows[] = {
    {"netstat_tcp_abort_failed_total",
     "Resets that could not be sent, those that a rule dropped on the way out among them (TcpExt TCPAbortFailed).",
     &sources::NetstatSample::abort_failed},
    {"netstat_tcp_abort_on_timeout_total",
     "Connections given up because nobody answered, orphans included (TcpExt TCPAbortOnTimeout).",
     &sources::NetstatSample::abort_on_timeout},
    {"netstat_tcp_abort_on_close_total",
     "Connections reset because the process closed with data unread (TcpExt TCPAbortOnClose).",
     &sources::NetstatSample::abort_on_close},
    {"netstat_tcp_abort_on_memory_total",
     "Orphans given up because there were too many or too little memory (TcpExt TCPAbortOnMemory).",
     &sources::NetstatSample::abort_on_memory},
    {"netstat_tcp_retrans_segs_total",
     "Segments sent again; a FIN that never left is not among them (Tcp RetransSegs).",
     &sources::NetstatSample::retrans_segs},
    {"netstat_tcp_timeouts_total",
     "Retransmission timers that fired; the probe timer of a FIN that never left does not count (TcpExt TCPTimeouts).",
     &sources::NetstatSample::timeouts},
    {"netstat_tcp_out_rsts_total", "Resets sent, or tried to (Tcp OutRsts).", &sources::NetstatSample::out_rsts},
};

}  // namespace

void AppendNetstat(const scheduling::Snapshot& snapshot, Families& families) {
  const auto* sample = snapshot.Find<sources::NetstatSample>();
  if (sample == nullptr) {
    return;
  }
  for (const Row& row : kRows) {
    if (const auto& value = sample->*row.value) {
      Family::Counter(row.name, row.help).Add({}, static_cast<double>(*value)).AppendTo(families);
    }
  }
}

}  // namespace finwait::views::metrics
