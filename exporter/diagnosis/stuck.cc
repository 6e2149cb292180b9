#include "exporter/diagnosis/stuck.h"

#include <algorithm>
#include <iterator>

namespace finwait::diagnosis {
namespace {

constexpr std::uint32_t kStuckTries = 2;
// Whether the FIN has not left: something is unsent although the peer's window is open. The probe timer alone does not
// say so, as it also runs for a closed window.
bool FinIsUnsent(const kernel::TcpSocket& socket) {
  return socket.timer == kernel::SocketTimer::kProbe && socket.unsent.value_or(1) > 0;
}

// Whether rules alone let the FIN pass. Then what has kept it here is no rule: a program that may drop it, for one,
// about which no evaluation can tell.
bool RulesLetFinPass(const kernel::TcpSocket& socket, const StuckContext& context) {
  const PacketEvaluator::RulesAlone scope(context.evaluator->Packets(), true);
  switch (context.evaluator->Evaluate(socket, context.history).fate) {
    case Fate::kClean:
    case Fate::kAckDropped:
    case Fate::kPeerFinDropped:
    case Fate::kPeerDecides:
      return true;
    case Fate::kFinDropped:
    case Fate::kNatLost:
    case Fate::kUnknown:
      break;
  }
  return false;
}

}  // namespace

std::string_view Name(Cause cause) {
  constexpr std::string_view kNames[] = {"local_drop", "local_error", "reply_drop",  "nat_lost",
                                         "no_reply",   "zero_window", "forward_drop"};
  return kNames[static_cast<std::size_t>(cause)];
}

bool ProvesFailure(Cause cause) {
  return cause == Cause::kLocalDrop || cause == Cause::kReplyDrop || cause == Cause::kNatLost ||
         cause == Cause::kForwardDrop;
}

std::size_t StuckStateIndex(kernel::TcpState state) {
  return static_cast<std::size_t>(std::find(std::begin(kStuckStates), std::end(kStuckStates), state) -
                                  std::begin(kStuckStates));
}

bool IsStuck(const kernel::TcpSocket& socket) { return socket.tries >= kStuckTries; }

// A FIN that never had one finds none however old it is, so only having watched tells the
// two apart.
bool EntryMayHaveOutlivedTheFin(const kernel::TcpSocket& socket, const sources::SysctlSample* sysctl) {
  const auto timeout = sysctl == nullptr ? std::nullopt
                                         : sysctl->Timeout(socket.state == kernel::TcpState::kFinWait1
                                                               ? sources::ConntrackTcpTimeout::kFinWait
                                                               : sources::ConntrackTcpTimeout::kLastAck);
  return !timeout || socket.minimum_age >= *timeout;
}

StuckFinding DroppedAt(const firewall::eval::TraversalResult& result, Cause cause, const StuckContext& context) {
  return {cause, context.sites != nullptr ? context.sites->Of(result, context.evaluator->Packets()) : nullptr, false};
}

StuckFinding AnswerDroppedAt(const firewall::eval::TraversalResult& result, Cause cause, const StuckContext& context) {
  StuckFinding finding = DroppedAt(result, cause, context);
  finding.is_answer = true;
  return finding;
}

StuckFinding FindCauseOf(const CloseOutcome& outcome, Cause fin_dropped, Cause answer_dropped,
                         const StuckContext& context) {
  switch (outcome.fate) {
    case Fate::kNatLost:
      return {Cause::kNatLost, nullptr, false};
    case Fate::kAckDropped:
      return AnswerDroppedAt(outcome.ack, answer_dropped, context);
    case Fate::kPeerDecides:
      if (!IsLost(outcome.ack.disposition)) {
        return {};  // the peer or the path is gone, or the peer is there, and its RST is dropped here
      }
      return AnswerDroppedAt(outcome.ack, answer_dropped, context);  // the peer has not closed: its ACK is waited for
    case Fate::kFinDropped:
      return DroppedAt(outcome.fin, fin_dropped, context);
    case Fate::kClean:
    case Fate::kPeerFinDropped:  // its ACK would have come in
      return {Cause::kNoReply, nullptr, false};
    case Fate::kUnknown:
      return {};
  }
  return {};
}

// Of a peer whose window was closed when it was last heard of. Where its probes are dropped for want of an entry, and
// nothing that the peer sends makes one, this host never learns whether the window has opened.
StuckFinding FindCauseOfProbes(const kernel::TcpSocket& socket, const StuckContext& context) {
  StuckFinding closed = {Cause::kZeroWindow, nullptr, false};
  if (socket.entry.tracking != kernel::Tracking::kUntracked || context.evaluator == nullptr) {
    return closed;
  }
  SocketCircumstances circumstances = SocketCircumstances::Of(socket);
  circumstances.sends_first = true;
  const CloseOutcome outcome =
      context.evaluator->Evaluate(context.evaluator->ConnectionWithFacts(socket), context.history, circumstances);
  return outcome.fate == Fate::kFinDropped ? DroppedAt(outcome.fin, Cause::kLocalDrop, context) : closed;
}

StuckFinding FindCause(const kernel::TcpSocket& socket, const StuckContext& context) {
  using firewall::eval::Disposition;
  if (socket.timer == kernel::SocketTimer::kProbe && socket.send_window == 0U) {
    return FindCauseOfProbes(socket, context);
  }
  if (socket.entry.tracking == kernel::Tracking::kUnknown || context.evaluator == nullptr) {
    return {};
  }
  const bool tracked = socket.entry.tracking == kernel::Tracking::kTracked;
  const bool was_tracked = context.history != nullptr && context.history->closed_tracked;
  if (FinIsUnsent(socket)) {
    const firewall::eval::TraversalResult fin =
        tracked ? context.evaluator->TrackedFin(socket) : context.evaluator->Evaluate(socket, context.history).fin;
    switch (fin.disposition) {
      case Disposition::kDrop:
      case Disposition::kReject: {
        StuckFinding finding = DroppedAt(fin, Cause::kLocalDrop, context);
        finding.with_entry = tracked || (was_tracked && IsLost(context.evaluator->TrackedFin(socket).disposition));
        return finding;
      }
      case Disposition::kAccept:
        return {Cause::kLocalError, nullptr, false};
      case Disposition::kUnknown:
        return RulesLetFinPass(socket, context) ? StuckFinding{Cause::kLocalError, nullptr, false} : StuckFinding();
    }
  }
  if (tracked || was_tracked) {
    // A bridge drops what has left, as far as the socket knows.
    const firewall::eval::TraversalResult fin = context.evaluator->TrackedFin(socket);
    if (IsLost(fin.disposition) && fin.location && fin.location->family == firewall::TableFamily::kBridge) {
      StuckFinding finding = DroppedAt(fin, Cause::kLocalDrop, context);
      finding.with_entry = true;
      return finding;
    }
    // The peer's ACK matches the entry, or did as long as it was there.
    const firewall::eval::TraversalResult ack =
        tracked ? context.evaluator->TrackedAck(socket) : firewall::eval::TraversalResult();
    if (!IsLost(ack.disposition)) {
      return {Cause::kNoReply, nullptr, false};
    }
    StuckFinding finding = AnswerDroppedAt(ack, Cause::kReplyDrop, context);
    finding.with_entry = true;
    return finding;
  }
  if ((context.history == nullptr || !context.history->lost_while_open) &&
      EntryMayHaveOutlivedTheFin(socket, context.sysctl)) {
    return {};
  }
  // Over loopback the FIN leaves and is dropped on its way in: sent, and this host's doing.
  return FindCauseOf(context.evaluator->Evaluate(socket, context.history), Cause::kLocalDrop, Cause::kReplyDrop,
                     context);
}

}  // namespace finwait::diagnosis
