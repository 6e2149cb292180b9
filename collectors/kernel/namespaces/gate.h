#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "collectors/kernel/tcp_state.h"

namespace finwait::kernel::namespaces {

/// The cheap numbers of a network namespace that tell whether its sockets must be read again.
struct GateNumbers {
  // From the Tcp lines of net/snmp.
  std::uint64_t active_opens = 0;
  std::uint64_t passive_opens = 0;
  std::uint64_t established = 0;  ///< CurrEstab: ESTABLISHED, and on Linux 6.11 and later CLOSE_WAIT
  std::uint64_t received = 0;     ///< InSegs
  std::uint64_t sent = 0;         ///< OutSegs: each try of a FIN is one, also of a FIN that a rule drops on the way out
  std::uint64_t sent_again = 0;   ///< RetransSegs: none for a FIN that never left
  /// From net/sockstat and net/sockstat6: TCP sockets of each family that are listed, TIME_WAIT not among them.
  std::uint64_t in_use4 = 0;
  std::uint64_t in_use6 = 0;

  std::uint64_t InUse() const { return in_use4 + in_use6; }
  bool operator==(const GateNumbers&) const = default;
};

/// Sets what the Tcp lines of net/snmp tell. False where they are not of the kernel's form.
bool ReadSnmp(std::string_view content, GateNumbers& numbers);
/// "TCP: inuse N" of net/sockstat, "TCP6: inuse N" of net/sockstat6.
std::optional<std::uint64_t> ReadInUse(std::string_view sockstat, std::string_view protocol);

/// How urgent it is to read the sockets of a namespace.
enum class Urgency : std::uint8_t {
  kNone,     ///< nothing moved that changes a list of sockets
  kRefresh,  ///< connections have come or gone: the list of live ones is old
  kSuspect,  ///< a socket may have begun to close
  kSilence,  ///< packets leave, or leave again, and nothing comes back: what a stuck socket looks like
  kClosing,  ///< the last reading has shown closing sockets, whose tries are to be followed
};

/// What was seen when the sockets were last read.
struct LastReading {
  GateNumbers numbers;
  bool closing = false;     ///< sockets in FIN_WAIT_1, CLOSING or LAST_ACK
  bool close_wait = false;  ///< sockets in CLOSE_WAIT
};

/// What changed from `before`, the numbers of the tick before, to `now`. `last` is null where the sockets have never
/// been read. Proven on each way in which a socket sticks (tests/kernel/collectors/kernel/namespaces/observer_test.cc):
/// a socket that begins to close leaves CurrEstab and stays in use, but one in CLOSE_WAIT of a kernel before 6.11,
/// which never was in CurrEstab; that one sends.
Urgency UrgencyOf(const LastReading* last, const GateNumbers& before, const GateNumbers& now);

}  // namespace finwait::kernel::namespaces
