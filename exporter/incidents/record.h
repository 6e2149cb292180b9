#pragma once

#include <chrono>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "exporter/diagnosis/drop_site.h"
#include "exporter/diagnosis/stuck.h"
#include "exporter/scheduling/snapshot.h"

namespace finwait::incidents {

/// Unix time in whole milliseconds, as the store keeps it.
using Time = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

/// What happened to a connection.
enum class Kind {
  kStuck,  ///< it was closed here and got stuck
  kReset,  ///< its reset was dropped by this host: the kernel counts those, and the witness alone names them
};
inline constexpr Kind kKinds[] = {Kind::kStuck, Kind::kReset};
/// "stuck" or "reset".
std::string_view Name(Kind kind);

/// How it ended.
enum class Outcome {
  kOngoing,     ///< it was stuck in the last sample
  kGaveUp,      ///< its tries were used up: the kernel removed the socket, and the peer was not told
  kEnded,       ///< it ended before: answered, reset, or removed by hand
  kUnobserved,  ///< nobody watched when it ended
  kCounted,     ///< a reset: lost when it was counted, or when the witness saw it dropped
};
inline constexpr Outcome kOutcomes[] = {Outcome::kOngoing, Outcome::kGaveUp, Outcome::kEnded, Outcome::kUnobserved,
                                        Outcome::kCounted};
/// "ongoing", "gave_up", "ended", "unobserved" or "counted".
std::string_view Name(Outcome outcome);

/// One connection that was stuck or whose reset was lost, or the resets of unnamed connections that were lost at one
/// time.
struct Record {
  std::uint64_t id = 0;  ///< ascending in the order in which they were first seen; never used twice in one store
  Kind kind = Kind::kStuck;
  Time first{};  ///< when it was closed, as far as its tries tell
  Time last{};   ///< when it was last seen so
  Outcome outcome = Outcome::kOngoing;
  std::uint64_t connections = 1;  ///< kReset without ends: how many

  /// Nothing: it could not be told, or kReset without ends.
  std::optional<diagnosis::Cause> cause;
  Endpoint local;  ///< both ends, without ports where nobody named the connection
  Endpoint peer;
  bool HasEnds() const { return local.port != 0; }

  // Of kStuck only.
  kernel::TcpState state = kernel::TcpState::kFinWait1;
  bool orphan = false;    ///< no process held it
  std::uint32_t uid = 0;  ///< its owner, where a process held it
  std::uint32_t tries = 0;
  std::shared_ptr<const kernel::Translation> translation;  ///< its ends beyond NAT, where its entry told; else null
  bool elsewhere = false;  ///< of another network namespace than the program's; a store does not keep it
  bool counted = false;    ///< two samples agreed on its cause: finwait_tcp_sockets_stuck_total has counted it

  /// What it belonged to, as Owner::Text() has it: any bytes; null: cannot be told. Records of one owner share it.
  std::shared_ptr<const std::string> owner;

  std::shared_ptr<const diagnosis::DropSite> site;  ///< where it is dropped; null: no rule is known
};

/// From some time to another in which this program watched.
struct Span {
  Time from{};
  Time to{};
};

}  // namespace finwait::incidents
