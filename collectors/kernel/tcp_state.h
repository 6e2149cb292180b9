#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace finwait::kernel {

/// The states of RFC 9293 that a kernel socket can be listed in; CLOSED is no socket.
enum class TcpState : std::uint8_t {
  kListen,
  kSynSent,
  kSynReceived,
  kEstablished,
  kFinWait1,
  kFinWait2,
  kCloseWait,
  kClosing,
  kLastAck,
  kTimeWait,
};
inline constexpr std::size_t kTcpStateCount = 10;

/// The label value: RFC 9293's name in snake case, such as "fin_wait_1".
std::string_view Name(TcpState state);

/// From inet_diag's idiag_state (include/net/tcp_states.h); nothing for a state that is no connection (TCP_CLOSE,
/// TCP_BOUND_INACTIVE) or is unknown. A request that waits for its last ACK (TCP_NEW_SYN_RECV) is kSynReceived.
std::optional<TcpState> TcpStateFromKernel(std::uint8_t state);

/// The bit for a state in inet_diag's idiag_states.
std::uint32_t KernelStateBit(TcpState state);

/// Whether the peer's FIN has been received: it sends no other one.
constexpr bool PeerHasClosed(TcpState state) {
  return state == TcpState::kCloseWait || state == TcpState::kLastAck || state == TcpState::kClosing;
}

}  // namespace finwait::kernel
