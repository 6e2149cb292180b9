#include "exporter/diagnosis/stuck.h"

namespace finwait {
namespace {

constexpr std::uint32_t kStuckTries = 2;
// Whether the FIN has not left: something is unsent although the peer's window is open. The probe timer alone does not
// say so, as it also runs for a closed window.
bool FinIsUnsent(const ClosingSocket& socket) {
  return socket.timer == SocketTimer::kProbe && socket.unsent.value_or(1) > 0;
}

}  // namespace

std::string_view Name(Cause cause) {
  constexpr std::string_view kNames[] = {"local_drop", "local_error", "reply_drop",
                                         "nat_lost",   "no_reply",    "zero_window"};
  return kNames[static_cast<std::size_t>(cause)];
}

bool ProvesFailure(Cause cause) {
  return cause == Cause::kLocalDrop || cause == Cause::kReplyDrop || cause == Cause::kNatLost;
}

bool IsStuck(const ClosingSocket& socket) { return socket.tries >= kStuckTries; }

std::optional<Cause> JudgeCause(const ClosingSocket& socket, const StuckContext& context) {
  using firewall::PathDecision;
  if (socket.timer == SocketTimer::kProbe && socket.send_window == 0U) {
    return Cause::kZeroWindow;
  }
  if (context.entry == nullptr || context.judge == nullptr) {
    return std::nullopt;
  }
  const bool tracked = context.entry->tracking == Tracking::kTracked;
  if (FinIsUnsent(socket)) {
    const PathDecision fin = tracked ? context.judge->TrackedFin(*context.entry)
                                     : context.judge->Judge(*context.entry, context.past).fin.decision;
    switch (fin) {
      case PathDecision::kDrop:
      case PathDecision::kReject:
        return Cause::kLocalDrop;
      case PathDecision::kAccept:
        return Cause::kLocalError;
      case PathDecision::kUnknown:
        return std::nullopt;
    }
  }
  if (tracked) {
    return Cause::kNoReply;  // the peer's ACK would match the entry
  }
  switch (const CloseJudgement judgement = context.judge->Judge(*context.entry, context.past); judgement.fate) {
    case Fate::kNatLost:
      return Cause::kNatLost;
    case Fate::kAckDropped:
      return Cause::kReplyDrop;
    case Fate::kFinDropped:  // over loopback the FIN leaves and is dropped on its way in: sent, and this host's doing
      return Cause::kLocalDrop;
    case Fate::kClean:
      return Cause::kNoReply;
    case Fate::kUnknown:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace finwait
