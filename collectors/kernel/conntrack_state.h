#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace finwait::kernel {

/// The states of a TCP entry in conntrack, in the kernel's order (enum tcp_conntrack, nf_conntrack_tcp.h). Conntrack's
/// fin_wait and close_wait are seen from between the two ends and are not a socket's states of those names.
enum class ConntrackTcpState : std::uint8_t {
  kNone,
  kSynSent,
  kSynReceived,
  kEstablished,
  kFinWait,
  kCloseWait,
  kLastAck,
  kTimeWait,
  kClose,
  kSynSent2,  ///< both ends sent a SYN; called LISTEN before Linux 2.6.31, and still numbered so
};
inline constexpr std::size_t kConntrackTcpStateCount = 10;

/// The label value, such as "syn_recv".
std::string_view Name(ConntrackTcpState state);

/// From CTA_PROTOINFO_TCP_STATE; nothing for a number this program does not know.
std::optional<ConntrackTcpState> ConntrackTcpStateFromKernel(std::uint8_t state);

/// The states in which both ends may still hold the connection open: losing the entry in one of them is what this
/// program is about.
inline constexpr ConntrackTcpState kLiveConntrackStates[] = {ConntrackTcpState::kEstablished,
                                                             ConntrackTcpState::kCloseWait, ConntrackTcpState::kFinWait,
                                                             ConntrackTcpState::kLastAck};

}  // namespace finwait::kernel
