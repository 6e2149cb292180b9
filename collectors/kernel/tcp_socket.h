#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "collectors/base/ip.h"
#include "collectors/kernel/conntrack_state.h"
#include "collectors/kernel/tcp_state.h"

namespace finwait::kernel {

/// Whether a live connection has a conntrack entry.
enum class Tracking : std::uint8_t { kTracked, kUntracked };

/// The ends of a connection as they are on the wire, beyond this host's NAT.
struct Translation {
  Endpoint local;
  Endpoint peer;
  auto operator<=>(const Translation&) const = default;
};

/// A connection that this end has not finished with, and its conntrack entry: open (ESTABLISHED, CLOSE_WAIT), or with
/// its FIN on the way (FIN_WAIT_1, CLOSING, LAST_ACK).
struct LiveSocket {
  std::uint64_t cookie = 0;  ///< unique for the kernel's uptime (sock_gen_cookie)
  Endpoint local;
  Endpoint peer;
  TcpState state = TcpState::kEstablished;
  Tracking tracking = Tracking::kUntracked;
  /// Which addresses NAT changes, from the entry (IPS_SRC_NAT, IPS_DST_NAT).
  bool source_nat = false;
  bool destination_nat = false;
  std::shared_ptr<const Translation> translation;  ///< null unless tracked and translated
  std::optional<ConntrackTcpState> entry_state;    ///< only when tracked
  std::uint32_t remaining_seconds = 0;             ///< of the entry; only when tracked
  std::uint32_t uid = 0;                           ///< owner
  /// When the keepalive timer fires next; nothing without SO_KEEPALIVE, or while another timer runs. A probe is sent
  /// then if the connection has been silent since the timer was set, else later.
  std::optional<std::chrono::milliseconds> keepalive_due;

  /// Whether this end has not closed yet, and so still can.
  bool IsOpen() const { return state == TcpState::kEstablished || state == TcpState::kCloseWait; }
};

}  // namespace finwait::kernel
