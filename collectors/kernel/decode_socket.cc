#include "collectors/kernel/decode_socket.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/mptcp.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <span>

namespace finwait::kernel {
namespace {

// Where a field of tcp_info ends: the structure only ever grows, and a kernel sends as much of it as it knows.
template <typename T>
std::optional<T> InfoField(netlink::Bytes info, std::size_t offset) {
  if (info.size() < offset + sizeof(T)) {
    return std::nullopt;
  }
  return netlink::Attribute(0, info.subspan(offset)).Read<T>();
}

std::optional<bool> OpenedHere(netlink::Bytes info) {
  const auto acknowledged = InfoField<std::uint64_t>(info, offsetof(tcp_info, tcpi_bytes_acked));
  const auto sent = InfoField<std::uint64_t>(info, offsetof(tcp_info, tcpi_bytes_sent));
  const auto sent_again = InfoField<std::uint64_t>(info, offsetof(tcp_info, tcpi_bytes_retrans));
  const auto in_flight = InfoField<std::uint32_t>(info, offsetof(tcp_info, tcpi_unacked));
  if (!acknowledged || !sent || !sent_again || in_flight != 0U) {
    return std::nullopt;
  }
  const std::uint64_t beyond_data = *acknowledged - (*sent - *sent_again);
  return beyond_data <= 1 ? std::optional(beyond_data == 1) : std::nullopt;
}

// Since anything came from the peer.
std::optional<std::chrono::milliseconds> SinceAnswer(netlink::Bytes info) {
  const auto received = InfoField<std::uint32_t>(info, offsetof(tcp_info, tcpi_last_data_recv));
  const auto acknowledged = InfoField<std::uint32_t>(info, offsetof(tcp_info, tcpi_last_ack_recv));
  if (!received || !acknowledged) {
    return std::nullopt;
  }
  return std::chrono::milliseconds(std::min(*received, *acknowledged));
}

// Of a socket that has closed only what came tells: what it sends again, nobody has answered.
std::optional<std::chrono::milliseconds> Idle(netlink::Bytes info, bool is_open) {
  const auto sent = InfoField<std::uint32_t>(info, offsetof(tcp_info, tcpi_last_data_sent));
  const auto came = SinceAnswer(info);
  if (!sent || !came) {
    return std::nullopt;
  }
  return is_open ? std::min(std::chrono::milliseconds(*sent), *came) : *came;
}

// Since the last try, whose answer `socket` waits for; `timeout`: until the next, from then on.
std::chrono::milliseconds SinceLastTry(const TcpSocket& socket, std::chrono::microseconds timeout) {
  const auto waits = std::chrono::floor<std::chrono::milliseconds>(timeout);
  const bool is_known =
      socket.timer == SocketTimer::kRetransmit && socket.tries > 0 && socket.timer_expires.count() > 0;
  return is_known && socket.timer_expires < waits ? waits - socket.timer_expires : std::chrono::milliseconds(0);
}

void ApplyTcpInfo(netlink::Bytes info, std::chrono::milliseconds longest_wait, TcpSocket& socket) {
  socket.unsent = InfoField<std::uint32_t>(info, offsetof(tcp_info, tcpi_notsent_bytes));
  socket.send_window = InfoField<std::uint32_t>(info, offsetof(tcp_info, tcpi_snd_wnd));
  socket.unacknowledged = InfoField<std::uint32_t>(info, offsetof(tcp_info, tcpi_unacked)).value_or(0);
  const auto backoff = InfoField<std::uint8_t>(info, offsetof(tcp_info, tcpi_backoff));
  if (socket.timer == SocketTimer::kProbe && socket.send_window == 0U && backoff) {
    // The peer answers probes of a closed window, which resets icsk_probes_out; the backoff goes on growing.
    socket.tries = std::max<std::uint32_t>(socket.tries, *backoff);
  }
  const auto timeout = InfoField<std::uint32_t>(info, offsetof(tcp_info, tcpi_rto)).value_or(0);
  socket.minimum_age = MinimumAgeOf(socket.timer, socket.tries, std::chrono::microseconds(timeout), longest_wait) +
                       SinceLastTry(socket, std::chrono::microseconds(timeout));
  if (const auto answer = SinceAnswer(info); answer && socket.send_window != 0U) {
    // Tries without an answer are younger than the last one. (A closed window's probes are answered.)
    socket.minimum_age = std::min(socket.minimum_age, *answer);
  }
  socket.opened_here = OpenedHere(info);
  socket.idle = Idle(info, socket.IsOpen());
  socket.segments =
      static_cast<std::uint8_t>(InfoField<std::uint32_t>(info, offsetof(tcp_info, tcpi_segs_in)).value_or(0) +
                                InfoField<std::uint32_t>(info, offsetof(tcp_info, tcpi_segs_out)).value_or(0));
}

// tcp_diag_put_ulp(), subflow_get_info(): whether both ends have agreed on Multipath TCP. Of one that fell back to TCP,
// as the peer knew nothing of it, only this end is capable.
bool IsMultipath(netlink::AttributeReader& of_protocol) {
  bool agreed = false;
  of_protocol.Nested([&](netlink::AttributeReader& layer) {
    if (layer.Type() == INET_ULP_INFO_MPTCP) {
      layer.Nested([&](netlink::AttributeReader& subflow) {
        if (subflow.Type() == MPTCP_SUBFLOW_ATTR_FLAGS) {
          agreed = (subflow.U32() & (MPTCP_SUBFLOW_FLAG_MCAP_REM | MPTCP_SUBFLOW_FLAG_JOIN_REM)) != 0;
        }
      });
    }
  });
  return agreed;
}

}  // namespace

Result<std::optional<TcpSocket>> DecodeSocket(netlink::Bytes message, std::chrono::milliseconds longest_wait) {
  const auto header = netlink::Attribute(0, message).Read<inet_diag_msg>();
  if (!header || (header->idiag_family != AF_INET && header->idiag_family != AF_INET6)) {
    return Fail(FailureReason::kError, "read sockets: malformed inet_diag message");
  }
  const auto state = TcpStateFromKernel(header->idiag_state);
  if (!state) {
    return std::nullopt;
  }
  TcpSocket socket;
  socket.state = *state;
  socket.cookie = std::uint64_t{header->id.idiag_cookie[1]} << 32 | header->id.idiag_cookie[0];
  const std::size_t address_size = header->idiag_family == AF_INET ? 4 : 16;
  socket.local = {*IpAddress::FromBytes(std::as_bytes(std::span(header->id.idiag_src)).first(address_size)),
                  ntohs(header->id.idiag_sport)};
  socket.peer = {*IpAddress::FromBytes(std::as_bytes(std::span(header->id.idiag_dst)).first(address_size)),
                 ntohs(header->id.idiag_dport)};
  socket.orphan = header->idiag_inode == 0;
  socket.uid = header->idiag_uid;
  socket.device = header->id.idiag_if;
  socket.timer = header->idiag_timer <= 4 ? static_cast<SocketTimer>(header->idiag_timer) : SocketTimer::kNone;
  socket.timer_expires = std::chrono::milliseconds(header->idiag_expires);
  socket.tries = header->idiag_retrans;
  socket.has_queued = header->idiag_wqueue != 0;

  const std::uint16_t type_of_service =
      socket.local.address.Family() == IpFamily::kIpv4 ? INET_DIAG_TOS : INET_DIAG_TCLASS;
  netlink::AttributeReader reader(
      message.subspan(std::min(message.size(), std::size_t{NLMSG_ALIGN(sizeof(inet_diag_msg))})));
  while (reader.Next()) {
    switch (reader.Type()) {
      case INET_DIAG_INFO:
        ApplyTcpInfo(reader.Payload(), longest_wait, socket);
        break;
      case INET_DIAG_MARK:
        socket.mark = reader.U32();
        break;
      case INET_DIAG_CGROUP_ID:
        socket.cgroup_id = reader.U64();
        break;
      case INET_DIAG_ULP_INFO:
        socket.multipath = IsMultipath(reader);
        break;
      default:
        if (reader.Type() == type_of_service) {
          socket.type_of_service = reader.U8();
        }
    }
  }
  if (!reader.Sound()) {
    return Fail(FailureReason::kError, "read sockets: malformed attribute in an inet_diag message");
  }
  if (socket.state == TcpState::kSynReceived) {
    socket.opened_here = false;  // of a connection that a SYN proxy set up, until its first data
  }
  return socket;
}

}  // namespace finwait::kernel
