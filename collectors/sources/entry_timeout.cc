#include "collectors/sources/entry_timeout.h"

namespace finwait::sources {
namespace {

// What remains and the silence are whole seconds, rounded down, and the entry was read a moment after the socket.
constexpr std::chrono::seconds kRounding{3};

}  // namespace

bool EntryTimeout::MayBe(Seconds setting) const {
  return !at_most_ || (remaining_ <= setting && setting <= *at_most_ + kRounding);
}

std::optional<std::chrono::seconds> EntryTimeout::Length(std::optional<Seconds> setting) const {
  return setting && MayBe(*setting) ? setting : at_most_ ? at_most_ : setting;
}

bool EntryTimeout::IsOwn(kernel::ConntrackTcpState state, const SysctlSample& sysctl) const {
  const auto setting = TimeoutOf(state, sysctl);
  if (!at_most_ || !setting || MayBe(*setting)) {
    return false;
  }
  for (const auto which : {ConntrackTcpTimeout::kMaxRetrans, ConntrackTcpTimeout::kUnacknowledged}) {
    const auto other = sysctl.Timeout(which);
    if (other && std::chrono::abs(*other - *at_most_) <= kRounding) {
      return false;
    }
  }
  return true;
}

std::optional<std::chrono::seconds> TimeoutOf(kernel::ConntrackTcpState state, const SysctlSample& sysctl) {
  for (std::size_t i = 0; i < kConntrackTcpTimeoutNames.size(); ++i) {
    if (kConntrackTcpTimeoutNames[i] == Name(state)) {
      return sysctl.conntrack_tcp_timeouts[i];
    }
  }
  return std::nullopt;
}

}  // namespace finwait::sources
