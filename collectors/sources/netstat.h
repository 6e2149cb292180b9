#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "collectors/kernel/host.h"
#include "collectors/sources/collector.h"

namespace finwait::sources {

/// The kernel's own TCP counters that move when a close goes wrong, counted since the network namespace was made. A
/// counter that this kernel does not have is absent.
struct NetstatSample : SampleData {
  static constexpr std::string_view kCollector = "netstat";

  /// TcpExt TCPAbortFailed: a RST that could not be sent (no memory, or dropped on the way out).
  std::optional<std::uint64_t> abort_failed;
  /// TcpExt TCPAbortOnTimeout: connections given up because nobody answered.
  std::optional<std::uint64_t> abort_on_timeout;
  /// TcpExt TCPAbortOnClose: closed by the process with data unread, so reset and not finished with a FIN.
  std::optional<std::uint64_t> abort_on_close;
  /// TcpExt TCPAbortOnMemory: orphans given up because there were too many, or too little memory.
  std::optional<std::uint64_t> abort_on_memory;
  /// Tcp RetransSegs: segments sent again.
  std::optional<std::uint64_t> retrans_segs;
  /// TcpExt TCPTimeouts: retransmission timers that fired. A FIN that never left (the probe timer) is not among them.
  std::optional<std::uint64_t> timeouts;
  /// Tcp OutRsts: RST segments sent.
  std::optional<std::uint64_t> out_rsts;
};

/// Reads NetstatSample from the files netstat (TcpExt) and snmp (Tcp) in <procfs>/thread-self/net, which count the
/// calling thread's network namespace (<procfs>/net counts that of the process's first thread). Columns are found by
/// name. A file that cannot be understood is a gap and its counters are absent; that neither can is a failure.
class NetstatCollector : public Collector {
 public:
  explicit NetstatCollector(const kernel::Host& host) : host_(host) {}
  Result<Collected> Collect(Deadline deadline) override;

 private:
  kernel::Host host_;
};

}  // namespace finwait::sources
