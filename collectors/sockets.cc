#include "collectors/sockets.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>

#include "collectors/socket_dump.h"

namespace finwait {
namespace sockets {
namespace {

// Where a field of tcp_info ends: the structure only ever grows, and a kernel sends as much of it as it knows.
template <typename T>
std::optional<T> InfoField(netlink::Bytes info, std::size_t offset) {
  if (info.size() < offset + sizeof(T)) {
    return std::nullopt;
  }
  return netlink::Attribute(0, info.subspan(offset)).Read<T>();
}

// n tries of a timeout that doubles took base * (2^n - 1) at least; the retransmission timeout that tcp_info shows has
// doubled n times itself, the one of window probes has not (tcp_retransmit_timer, tcp_probe0_when). Both stop doubling
// at TCP_RTO_MAX, 120 s.
std::chrono::milliseconds MinimumAge(SocketTimer timer, std::uint32_t tries, std::uint32_t timeout_us) {
  constexpr double kLongestMs = 120'000;
  const std::uint32_t doublings = std::min<std::uint32_t>(tries, 31);
  double step = timeout_us / 1000.0;
  if (timer == SocketTimer::kRetransmit) {
    step /= static_cast<double>(std::uint32_t{1} << doublings);
  }
  double total = 0;
  for (std::uint32_t i = 0; i < doublings; ++i) {
    total += std::min(step, kLongestMs);
    step *= 2;
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(total));
}

void ApplyTcpInfo(netlink::Bytes info, ClosingSocket& socket) {
  socket.unsent = InfoField<std::uint32_t>(info, offsetof(tcp_info, tcpi_notsent_bytes));
  socket.send_window = InfoField<std::uint32_t>(info, offsetof(tcp_info, tcpi_snd_wnd));
  socket.unacknowledged = InfoField<std::uint32_t>(info, offsetof(tcp_info, tcpi_unacked)).value_or(0);
  const auto backoff = InfoField<std::uint8_t>(info, offsetof(tcp_info, tcpi_backoff));
  if (socket.timer == SocketTimer::kProbe && socket.send_window == 0U && backoff) {
    // The peer answers probes of a closed window, which resets icsk_probes_out; the backoff goes on growing.
    socket.tries = std::max<std::uint32_t>(socket.tries, *backoff);
  }
  const auto timeout = InfoField<std::uint32_t>(info, offsetof(tcp_info, tcpi_rto)).value_or(0);
  socket.minimum_age = MinimumAge(socket.timer, socket.tries, timeout);
}

}  // namespace

Result<std::optional<Record>> Decode(netlink::Bytes message) {
  const auto header = netlink::Attribute(0, message).Read<inet_diag_msg>();
  if (!header || (header->idiag_family != AF_INET && header->idiag_family != AF_INET6)) {
    return Fail(FailureReason::kError, "read sockets: malformed inet_diag message");
  }
  const auto state = TcpStateFromKernel(header->idiag_state);
  if (!state) {
    return std::nullopt;
  }
  Record record;
  record.state = *state;
  ClosingSocket& socket = record.closing;
  socket.state = *state;
  socket.cookie = std::uint64_t{header->id.idiag_cookie[1]} << 32 | header->id.idiag_cookie[0];
  const std::size_t address_size = header->idiag_family == AF_INET ? 4 : 16;
  socket.local = {*IpAddress::FromBytes(std::as_bytes(std::span(header->id.idiag_src)).first(address_size)),
                  ntohs(header->id.idiag_sport)};
  socket.peer = {*IpAddress::FromBytes(std::as_bytes(std::span(header->id.idiag_dst)).first(address_size)),
                 ntohs(header->id.idiag_dport)};
  record.family = socket.local.address.Family();
  socket.orphan = header->idiag_inode == 0;
  socket.timer = header->idiag_timer <= 4 ? static_cast<SocketTimer>(header->idiag_timer) : SocketTimer::kNone;
  socket.timer_expires = std::chrono::milliseconds(header->idiag_expires);
  socket.tries = header->idiag_retrans;
  socket.uid = header->idiag_uid;

  const bool sound = netlink::ForEachAttribute(
      message.subspan(std::min(message.size(), std::size_t{NLMSG_ALIGN(sizeof(inet_diag_msg))})),
      [&socket](const netlink::Attribute& attribute) {
        if (attribute.Type() == INET_DIAG_INFO) {
          ApplyTcpInfo(attribute.Payload(), socket);
        }
      });
  if (!sound) {
    return Fail(FailureReason::kError, "read sockets: malformed attribute in an inet_diag message");
  }
  return record;
}

}  // namespace sockets

namespace {

constexpr TcpState kClosingStates[] = {TcpState::kFinWait1, TcpState::kFinWait2, TcpState::kClosing,
                                       TcpState::kLastAck};
// Every state of the kernel's but TCP_BOUND_INACTIVE, whose walk takes the whole bind table and finds no connection.
constexpr std::uint32_t kAllStates = 0x1fff;

Result<void> ReadClosing(const Host& host, Deadline deadline, SocketsSample& sample) {
  std::uint32_t states = 0;
  for (const TcpState state : kClosingStates) {
    states |= KernelStateBit(state);
  }
  for (const int family : {AF_INET, AF_INET6}) {
    const std::size_t listed_before = sample.closing.size();
    const std::uint64_t unlisted_before = sample.closing_unlisted;
    const SocketCounts orphans_before = sample.orphans;
    netlink::FunctionSink sink(
        [&] {
          sample.closing.resize(listed_before);
          sample.closing_unlisted = unlisted_before;
          sample.orphans = orphans_before;
        },
        [&](const netlink::Message& message) -> Result<void> {
          auto record = sockets::Decode(message.payload);
          if (!record) {
            return Failure(record.error());
          }
          if (!*record) {
            return {};
          }
          const auto state = static_cast<std::size_t>((*record)->state);
          sample.orphans[state] += (*record)->closing.orphan ? 1 : 0;
          if ((*record)->state == TcpState::kFinWait2) {
            return {};  // the FIN was acknowledged: nothing can be stuck any more
          }
          if (sample.closing.size() < SocketsSample::kMaxClosing) {
            sample.closing.push_back((*record)->closing);
          } else {
            ++sample.closing_unlisted;
          }
          return {};
        });
    if (auto dumped = DumpTcpSockets(host, family, states, kWithTcpInfo, deadline, sink); !dumped) {
      return Failure(dumped.error());
    }
  }
  return {};
}

Result<std::array<SocketCounts, 2>> CountAll(const Host& host, Deadline deadline) {
  std::array<SocketCounts, 2> counts = {};
  for (const int family : {AF_INET, AF_INET6}) {
    const std::array<SocketCounts, 2> before = counts;
    netlink::FunctionSink sink(
        [&] { counts = before; },
        [&](const netlink::Message& message) -> Result<void> {
          const auto record = sockets::Decode(message.payload);
          if (!record) {
            return Failure(record.error());
          }
          if (*record) {
            ++counts[static_cast<std::size_t>((*record)->family)][static_cast<std::size_t>((*record)->state)];
          }
          return {};
        });
    if (auto dumped = DumpTcpSockets(host, family, kAllStates, 0, deadline, sink); !dumped) {
      return Failure(dumped.error());
    }
  }
  return counts;
}

}  // namespace

Result<Collected> SocketsCollector::Collect(Deadline deadline) {
  auto sample = std::make_shared<SocketsSample>();
  if (auto read = ReadClosing(host_, deadline, *sample); !read) {
    return Failure(read.error());
  }
  std::chrono::nanoseconds counting{0};
  if (pacer_.Due(SteadyClock::now())) {
    const CpuStopwatch stopwatch;
    auto counts = CountAll(host_, deadline);
    if (!counts) {
      return Failure(counts.error());
    }
    counts_ = *counts;
    counts_taken_at_ = SteadyClock::now();
    counting = stopwatch.Elapsed();
    pacer_.Ran(counts_taken_at_, counting);
  }
  sample->counts = counts_;
  sample->counts_taken_at = counts_taken_at_;
  sample->counts_interval = pacer_.Interval();
  return Collected{std::move(sample), {}, counting};
}

}  // namespace finwait
