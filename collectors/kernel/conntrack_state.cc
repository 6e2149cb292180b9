#include "collectors/kernel/conntrack_state.h"

namespace finwait::kernel {
namespace {

constexpr std::string_view kNames[kConntrackTcpStateCount] = {"none",     "syn_sent",   "syn_recv", "established",
                                                              "fin_wait", "close_wait", "last_ack", "time_wait",
                                                              "close",    "syn_sent2"};

}  // namespace

std::string_view Name(ConntrackTcpState state) { return kNames[static_cast<std::size_t>(state)]; }

std::optional<ConntrackTcpState> ConntrackTcpStateFromKernel(std::uint8_t state) {
  if (state >= kConntrackTcpStateCount) {
    return std::nullopt;
  }
  return static_cast<ConntrackTcpState>(state);
}

}  // namespace finwait::kernel
