#include "collectors/kernel/tcp_state.h"

namespace finwait::kernel {
namespace {

struct Row {
  TcpState state;
  std::uint8_t kernel;  // include/net/tcp_states.h, part of the kernel's ABI through inet_diag
  std::string_view name;
};

constexpr Row kRows[kTcpStateCount] = {
    {TcpState::kListen, 10, "listen"},           {TcpState::kSynSent, 2, "syn_sent"},
    {TcpState::kSynReceived, 3, "syn_received"}, {TcpState::kEstablished, 1, "established"},
    {TcpState::kFinWait1, 4, "fin_wait_1"},      {TcpState::kFinWait2, 5, "fin_wait_2"},
    {TcpState::kCloseWait, 8, "close_wait"},     {TcpState::kClosing, 11, "closing"},
    {TcpState::kLastAck, 9, "last_ack"},         {TcpState::kTimeWait, 6, "time_wait"},
};
constexpr std::uint8_t kNewSynReceived = 12;

const Row& RowOf(TcpState state) { return kRows[static_cast<std::size_t>(state)]; }

}  // namespace

std::string_view Name(TcpState state) { return RowOf(state).name; }

std::optional<TcpState> TcpStateFromKernel(std::uint8_t state) {
  if (state == kNewSynReceived) {
    return TcpState::kSynReceived;
  }
  for (const Row& row : kRows) {
    if (row.kernel == state) {
      return row.state;
    }
  }
  return std::nullopt;
}

std::uint32_t KernelStateBit(TcpState state) { return std::uint32_t{1} << RowOf(state).kernel; }

}  // namespace finwait::kernel
