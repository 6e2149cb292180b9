#include "collectors/kernel/retry_age.h"

#include <algorithm>

namespace finwait::kernel {

// n tries of a timeout that doubles took base * (2^n - 1) at least; the retransmission timeout that the socket shows
// has doubled n times itself, the one of window probes has not (tcp_retransmit_timer, tcp_probe0_when). Both stop
// doubling at `longest`.
std::chrono::milliseconds MinimumAgeOf(SocketTimer timer, std::uint32_t tries, std::chrono::microseconds timeout,
                                       std::chrono::milliseconds longest) {
  const auto longest_ms = static_cast<double>(longest.count());
  const std::uint32_t doublings = std::min<std::uint32_t>(tries, 31);
  double step = static_cast<double>(timeout.count()) / 1000.0;
  if (timer == SocketTimer::kRetransmit) {
    step /= static_cast<double>(std::uint32_t{1} << doublings);
  }
  double total = 0;
  for (std::uint32_t i = 0; i < doublings; ++i) {
    total += std::min(step, longest_ms);
    step *= 2;
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(total));
}

}  // namespace finwait::kernel
