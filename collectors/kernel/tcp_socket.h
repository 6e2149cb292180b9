#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "collectors/base/ip.h"
#include "collectors/kernel/conntrack_state.h"
#include "collectors/kernel/tcp_state.h"

namespace finwait::kernel {

/// Whether a connection has a conntrack entry.
enum class Tracking : std::uint8_t {
  kUnknown,  ///< nobody has asked conntrack, or it could not be asked
  kUntracked,
  kTracked,
};

/// The ends of a connection as they are on the wire, beyond this host's NAT.
struct Translation {
  static constexpr bool kMayBeMissing = true;  ///< a pointer to one may be null, also from another process (codec.h)
  Endpoint local;
  Endpoint peer;
  auto operator<=>(const Translation&) const = default;
};

/// What conntrack holds of one socket's connection. Every field but `tracking` is at its default unless kTracked.
struct SocketEntry {
  Tracking tracking = Tracking::kUnknown;
  /// Nothing: a number that this program does not know, or the entry is in a flowtable (IPS_OFFLOAD): then ctnetlink
  /// tells neither state nor timeout, and the entry does not time out.
  std::optional<ConntrackTcpState> state;
  std::uint32_t remaining_seconds = 0;  ///< until the entry times out unless a packet comes (CTA_TIMEOUT)
  /// Which addresses NAT changes (IPS_SRC_NAT, IPS_DST_NAT).
  bool source_nat = false;
  bool destination_nat = false;
  std::shared_ptr<const Translation> translation;  ///< null unless translated
};

/// The timer that a socket waits for, as inet_diag's idiag_timer names it.
enum class SocketTimer : std::uint8_t {
  kNone = 0,
  kRetransmit = 1,  ///< `ss` prints "on": something that was sent is unacknowledged
  kKeepalive = 2,
  kTimeWait = 3,  ///< also FIN_WAIT_2 after the kernel has shrunk the socket
  kProbe = 4,     ///< `ss` prints "persist": something could not be sent, or the peer's window is closed
};

/// One TCP socket of a network namespace as inet_diag reports it, in any state, and its conntrack entry where that was
/// joined to it.
struct TcpSocket {
  std::uint64_t cookie = 0;  ///< unique for the kernel's uptime (sock_gen_cookie)
  TcpState state = TcpState::kEstablished;
  Endpoint local;
  Endpoint peer;
  bool orphan = false;                     ///< no process holds it: idiag_inode is 0
  std::uint32_t uid = 0;                   ///< owner; 0 for an orphan too
  std::uint32_t device = 0;                ///< interface index that it is bound to (idiag_if); 0: none
  std::optional<std::uint32_t> mark;       ///< SO_MARK (INET_DIAG_MARK); told only to who has CAP_NET_ADMIN
  std::optional<std::uint64_t> cgroup_id;  ///< cgroup v2 (INET_DIAG_CGROUP_ID, Linux 5.7)
  /// IP_TOS or IPV6_TCLASS, whichever its packets carry; nothing unless asked for.
  std::optional<std::uint8_t> type_of_service;
  /// A subflow of Multipath TCP (INET_DIAG_ULP_INFO): either end closes by a DATA_FIN, in bare ACKs that are tried
  /// again and again, and only once both have by a FIN. Nothing where a list of procfs tells of a namespace that has
  /// such connections, and not which they are.
  std::optional<bool> multipath = false;

  SocketTimer timer = SocketTimer::kNone;
  std::chrono::milliseconds timer_expires{0};  ///< until `timer` fires
  /// Tries without an answer so far: retransmissions (icsk_retransmits) or window probes (icsk_probes_out); for a
  /// closed window, whose probes the peer does answer, the number of backoffs (icsk_backoff).
  std::uint32_t tries = 0;
  /// Whether bytes are queued that the peer has not acknowledged, sent or not; a FIN counts as one (idiag_wqueue, or
  /// tx_queue of /proc/net/tcp).
  bool has_queued = false;

  // From tcp_info, and nothing unless that was asked for.
  /// Bytes not yet sent, the FIN counting as one (tcpi_notsent_bytes); nothing on a kernel that does not tell.
  std::optional<std::uint32_t> unsent;
  /// The peer's window in bytes (tcpi_snd_wnd, Linux 5.4); nothing on a kernel that does not tell.
  std::optional<std::uint32_t> send_window;
  std::uint32_t unacknowledged = 0;  ///< segments sent and not acknowledged (tcpi_unacked)
  /// The least time that the tries so far have taken, from the doubling of the retransmission timeout.
  std::chrono::milliseconds minimum_age{0};
  /// Whether this end opened the connection. A SYN counts as one acknowledged byte (tcpi_bytes_acked) on the side that
  /// sent it first, and only there; nothing while sent bytes are unacknowledged, or on a kernel that does not count
  /// both (before Linux 4.19).
  std::optional<bool> opened_here;

  /// Since data or an ACK came or, of an open socket, data was sent: the least of tcpi_last_data_recv, _last_ack_recv
  /// and _last_data_sent. The answer to a keepalive of this end is such an ACK; a keepalive of the peer's leaves no
  /// trace here, but in `segments`. Wraps after 49 days, as the kernel's fields do.
  std::optional<std::chrono::milliseconds> idle;
  /// Segments both ways so far, modulo 256 (tcpi_segs_in, tcpi_segs_out, Linux 4.2).
  std::uint8_t segments = 0;

  SocketEntry entry;

  /// Whether this end has not closed yet, and so still can.
  bool IsOpen() const { return state == TcpState::kEstablished || state == TcpState::kCloseWait; }
  /// Whether data, probes of a closed window, or a DATA_FIN would go out before the FIN of a close, and again and
  /// again.
  bool SendsBeforeFin() const { return IsOpen() && (has_queued || multipath.value_or(false)); }
  /// When the keepalive timer fires next; nothing without SO_KEEPALIVE, or while another timer runs. A probe is sent
  /// then if the connection has been silent since the timer was set, else later.
  std::optional<std::chrono::milliseconds> KeepaliveDue() const {
    return timer == SocketTimer::kKeepalive ? std::optional(timer_expires) : std::nullopt;
  }
};

}  // namespace finwait::kernel
