#include "collectors/sources/sockets.h"

#include <sys/socket.h>

#include <algorithm>

#include "collectors/kernel/socket_dump.h"

namespace finwait::sources {
namespace {

constexpr kernel::TcpState kClosingStates[] = {kernel::TcpState::kFinWait1, kernel::TcpState::kFinWait2,
                                               kernel::TcpState::kClosing, kernel::TcpState::kLastAck};
// Every state of the kernel's but TCP_BOUND_INACTIVE, whose walk takes the whole bind table and finds no connection.
constexpr std::uint32_t kAllStates = 0x1fff;

Result<void> ReadClosing(const kernel::Host& host, Deadline deadline, SocketsSample& sample) {
  std::uint32_t states = 0;
  for (const kernel::TcpState state : kClosingStates) {
    states |= KernelStateBit(state);
  }
  for (const int family : {AF_INET, AF_INET6}) {
    const std::size_t listed_before = sample.closing.size();
    const std::uint64_t unlisted_before = sample.closing_unlisted;
    const SocketCounts orphans_before = sample.orphans;
    kernel::netlink::FunctionSink sink(
        [&] {
          sample.closing.resize(listed_before);
          sample.closing_unlisted = unlisted_before;
          sample.orphans = orphans_before;
        },
        [&](const kernel::netlink::Message& message) -> Result<void> {
          auto record = kernel::DecodeSocket(message.payload);
          if (!record) {
            return Failure(record.error());
          }
          if (!*record) {
            return {};
          }
          const auto state = static_cast<std::size_t>((*record)->state);
          sample.orphans[state] += (*record)->closing.orphan ? 1 : 0;
          if ((*record)->state == kernel::TcpState::kFinWait2) {
            return {};  // the FIN was acknowledged: nothing can be stuck any more
          }
          if (sample.closing.size() < SocketsSample::kMaxClosing) {
            sample.closing.push_back((*record)->closing);
          } else {
            ++sample.closing_unlisted;
          }
          return {};
        });
    if (auto dumped = DumpTcpSockets(host, family, states, kernel::kWithTcpInfo, deadline, sink); !dumped) {
      return Failure(dumped.error());
    }
  }
  return {};
}

Result<std::array<SocketCounts, 2>> CountAll(const kernel::Host& host, Deadline deadline) {
  std::array<SocketCounts, 2> counts = {};
  for (const int family : {AF_INET, AF_INET6}) {
    const std::array<SocketCounts, 2> before = counts;
    kernel::netlink::FunctionSink sink(
        [&] { counts = before; },
        [&](const kernel::netlink::Message& message) -> Result<void> {
          const auto record = kernel::DecodeSocket(message.payload);
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

}  // namespace finwait::sources
