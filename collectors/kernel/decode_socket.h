#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/netlink/attributes.h"
#include "collectors/kernel/tcp_state.h"

namespace finwait::kernel {

/// The timer that a socket waits for, as inet_diag's idiag_timer names it.
enum class SocketTimer : std::uint8_t {
  kNone = 0,
  kRetransmit = 1,  ///< `ss` prints "on": something that was sent is unacknowledged
  kKeepalive = 2,
  kTimeWait = 3,  ///< also FIN_WAIT_2 after the kernel has shrunk the socket
  kProbe = 4,     ///< `ss` prints "persist": something could not be sent, or the peer's window is closed
};

/// A connection whose FIN is on its way: FIN_WAIT_1, CLOSING or LAST_ACK.
struct ClosingSocket {
  std::uint64_t cookie = 0;  ///< unique for the kernel's uptime (sock_gen_cookie)
  TcpState state = TcpState::kFinWait1;
  Endpoint local;
  Endpoint peer;
  bool orphan = false;  ///< no process holds it: idiag_inode is 0
  SocketTimer timer = SocketTimer::kNone;
  std::chrono::milliseconds timer_expires{0};  ///< until the timer fires
  /// Tries without an answer so far: retransmissions (icsk_retransmits) or window probes (icsk_probes_out); for a
  /// closed window, whose probes the peer does answer, the number of backoffs (icsk_backoff).
  std::uint32_t tries = 0;
  /// Bytes not yet sent, the FIN counting as one (tcpi_notsent_bytes); nothing on a kernel that does not tell.
  std::optional<std::uint32_t> unsent;
  /// The peer's window in bytes (tcpi_snd_wnd, Linux 5.4); nothing on a kernel that does not tell.
  std::optional<std::uint32_t> send_window;
  /// Segments sent and not acknowledged (tcpi_unacked).
  std::uint32_t unacknowledged = 0;
  /// The least time that the tries so far have taken, from the doubling of the retransmission timeout.
  std::chrono::milliseconds minimum_age{0};
  std::uint32_t uid = 0;  ///< owner; 0 for an orphan too
};

/// One socket as inet_diag reports it. `closing` is complete for the states that ClosingSocket is for; its endpoints,
/// state and orphan mark are right for every state.
struct SocketRecord {
  TcpState state = TcpState::kEstablished;
  IpFamily family = IpFamily::kIpv4;
  ClosingSocket closing;
};

/// Decodes an inet_diag_msg with its attributes. Nothing for a socket that is no connection; an error when malformed.
Result<std::optional<SocketRecord>> DecodeSocket(netlink::Bytes message);

}  // namespace finwait::kernel
