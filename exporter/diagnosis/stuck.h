#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "collectors/sources/sockets.h"
#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/connection_history.h"
#include "exporter/diagnosis/drop_site.h"

namespace finwait::diagnosis {

/// Why a closing socket gets no further: the label `cause`.
enum class Cause {
  kLocalDrop,   ///< its FIN never left: a rule of this host's drops it on the way out
  kLocalError,  ///< its FIN never left for another reason: no route, a blackhole, a link down, tc, BPF
  kReplyDrop,   ///< its FIN left, and a rule of this host's drops the peer's ACK
  kNatLost,     ///< its FIN left untranslated: the connection was NATed and its entry is gone
  kNoReply,     ///< its FIN left and nothing here explains the silence: the peer or the path is gone
  kZeroWindow,  ///< the peer's window is closed
  /// Of another namespace's socket: a rule of this host's drops its FIN, or its peer's ACK, on the way through
  kForwardDrop,
};
inline constexpr Cause kCauses[] = {Cause::kLocalDrop, Cause::kLocalError, Cause::kReplyDrop,  Cause::kNatLost,
                                    Cause::kNoReply,   Cause::kZeroWindow, Cause::kForwardDrop};
std::string_view Name(Cause cause);

/// Whether a socket with this cause proves that this host loses closing packets of its own.
bool ProvesFailure(Cause cause);

/// The states that a socket can be stuck in, in the order of the label `state`.
inline constexpr kernel::TcpState kStuckStates[] = {kernel::TcpState::kFinWait1, kernel::TcpState::kClosing,
                                                    kernel::TcpState::kLastAck};
/// Its position in kStuckStates; their number for another state.
std::size_t StuckStateIndex(kernel::TcpState state);

/// Whether the socket has tried at least twice without an answer.
bool IsStuck(const kernel::TcpSocket& socket);

/// Whether the FIN of a stuck socket may have been tracked although its entry is gone by now: between two of its tries
/// more time may have passed than the entry lives. `sysctl` may be null.
bool EntryMayHaveOutlivedTheFin(const kernel::TcpSocket& socket, const sources::SysctlSample* sysctl);

/// What is known of a stuck socket beside the socket itself.
struct StuckContext {
  CloseEvaluator* evaluator = nullptr;  ///< null: the rules cannot be read
  const ConnectionHistory* history = nullptr;
  const sources::SysctlSample* sysctl = nullptr;  ///< null: cannot be read
  DropSites* sites = nullptr;                     ///< null: drop sites are not asked for
};

/// Why a socket is stuck, and at which rule. The drop site is part of the finding, as both come from one evaluation:
/// what the rules do later tells of later tries.
struct StuckFinding {
  std::optional<Cause> cause;
  /// Where its FIN, or its peer's ACK, is dropped; null where no rule drops it, or none can be named.
  std::shared_ptr<const DropSite> site;
  bool with_entry = false;  ///< what is dropped there has its entry, and is dropped all the same
  bool is_answer = false;   ///< it is the peer's ACK that is dropped there, not the FIN
};

/// A packet of its was dropped, with this result. `context.evaluator` is not null, here and below.
StuckFinding DroppedAt(const firewall::eval::TraversalResult& result, Cause cause, const StuckContext& context);
/// The same of the peer's ACK.
StuckFinding AnswerDroppedAt(const firewall::eval::TraversalResult& result, Cause cause, const StuckContext& context);

/// Why a socket is stuck whose FIN went out without an entry, by what becomes of such a close; `fin_dropped` and
/// `answer_dropped`: what it is called if that is lost.
StuckFinding FindCauseOf(const CloseOutcome& outcome, Cause fin_dropped, Cause answer_dropped,
                         const StuckContext& context);

/// Why `socket`, which IsStuck, is stuck; no cause when that cannot be told: the rules or its entry cannot be read, or
/// nobody watched and the entry may have timed out before the FIN or after it.
StuckFinding FindCause(const kernel::TcpSocket& socket, const StuckContext& context);

}  // namespace finwait::diagnosis
