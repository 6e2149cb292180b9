#include "exporter/diagnosis/close_explanation.h"

#include <utility>

#include "exporter/diagnosis/close_fate.h"
#include "exporter/diagnosis/connection_facts.h"
#include "exporter/diagnosis/evaluation_rounds.h"

namespace finwait::diagnosis {
namespace {

using firewall::eval::Connection;
using firewall::eval::Disposition;
using firewall::eval::OpenedBy;
using firewall::eval::PacketKind;
using firewall::eval::PathKind;

constexpr std::pair<std::string_view, PacketKind> kPackets[] = {{"fin", PacketKind::kFin},
                                                                {"rst", PacketKind::kRst},
                                                                {"data", PacketKind::kData},
                                                                {"ack", PacketKind::kAck},
                                                                {"peer_fin", PacketKind::kPeerFin}};

// What is given of a connection, where no socket tells it.
void AddWhatIsGiven(const ExplainedConnection& given, Connection& connection) {
  if (connection.opened_by == OpenedBy::kUnknown) {
    connection.opened_by = given.opened_by.value_or(OpenedBy::kUnknown);
  }
  const auto add = [](std::optional<std::uint32_t>& known, const std::optional<std::uint32_t>& more) {
    known = known ? known : more;
  };
  add(connection.local_socket.mark, given.mark);
  add(connection.local_socket.user, given.user);
  add(connection.local_socket.group, given.group);
}

// Which end ports show as the client, where nobody has seen the connection's entry. Nothing where both ends or none
// have a client's port.
std::optional<OpenedBy> OpenedByPorts(const ExplainedConnection& given) {
  if (!given.first_client_port || given.entry) {
    return std::nullopt;
  }
  const bool local_is_client = given.local.port >= *given.first_client_port;
  if (local_is_client == (given.peer.port >= *given.first_client_port)) {
    return std::nullopt;
  }
  return local_is_client ? OpenedBy::kLocal : OpenedBy::kPeer;
}

// Takes over what decides. Where the peer's FIN is dropped only if it closes after this end, that is what to tell of
// it.
void Conclude(const CloseOutcome& outcome, CloseExplanation& explanation) {
  explanation.fate = outcome.fate;
  explanation.reason = outcome.reason;
  for (ExplainedPacket& packet : explanation.packets) {
    if (packet.name == "peer_fin" && packet.result.disposition == Disposition::kAccept &&
        IsLost(outcome.peer_fin.disposition)) {
      packet.result = outcome.peer_fin;
    }
  }
}

// What becomes of a close now that the entry is there, where that is worse than what becomes of it later.
void ConcludeWithEntry(const CloseOutcome& now, const CloseOutcome& later, CloseExplanation& explanation) {
  if (DecidesBefore(now, later)) {
    explanation.fate = now.fate;
    explanation.reason.clear();
  }
  explanation.with_entry = now.fate != Fate::kClean && explanation.fate == now.fate;
}

// Of a connection of another namespace or host.
CloseExplanation ExplainForwarded(const ExplainedConnection& given, CloseEvaluator& evaluator) {
  const ConnectionHistory* seen = given.entry ? &*given.entry : nullptr;
  CloseExplanation explanation;
  explanation.path = PathKind::kForwarded;
  explanation.taken_to_be_opened_by = given.opened_by ? std::nullopt : OpenedByPorts(given);
  ForwardedConnection forwarded;
  forwarded.local = given.local;
  forwarded.peer = given.peer;
  forwarded.host_side = given.host_side;
  forwarded.opened_by = given.opened_by.value_or(explanation.taken_to_be_opened_by.value_or(OpenedBy::kUnknown));
  forwarded.peer_has_closed = given.circumstances.peer_has_closed;
  forwarded.sends_first = given.circumstances.sends_first;
  forwarded.multipath = firewall::packet::TristateOf(given.circumstances.multipath);
  forwarded.window_closed = given.window_closed;
  forwarded.tracked = firewall::eval::Tristate::kYes;  // what is asked for is a close of one that had an entry
  for (const auto& [name, kind] : kPackets) {
    explanation.packets.push_back({name, EvaluateForwardedPacket(evaluator, forwarded, seen, kind)});
  }
  const ForwardedOutcome outcome = EvaluateForwardedClose(evaluator, forwarded, seen);
  Conclude(outcome, explanation);
  explanation.passage = outcome.passage;
  explanation.flowtables = FlowtablesOnTheWay(evaluator, forwarded, seen);
  if (seen != nullptr) {
    ConcludeWithEntry(EvaluateTrackedForwardedClose(evaluator, forwarded, seen), outcome, explanation);
  }
  return explanation;
}

// Of a connection with an end on this host.
CloseExplanation ExplainOwn(const ExplainedConnection& given, Connection connection, CloseEvaluator& evaluator) {
  const ConnectionHistory* seen = given.entry ? &*given.entry : nullptr;
  AddWhatIsGiven(given, connection);
  connection.translated = evaluator.Packets().TranslationOf(connection, seen).Any();
  CloseExplanation explanation;
  explanation.path = connection.path_kind;
  for (const auto& [name, kind] : kPackets) {
    explanation.packets.push_back({name, evaluator.Packets().EvaluatePath(connection, kind)});
  }
  const CloseOutcome outcome = evaluator.Evaluate(connection, seen, given.circumstances);
  Conclude(outcome, explanation);
  if (seen != nullptr) {
    ConcludeWithEntry(evaluator.EvaluateTracked(connection, given.circumstances.peer_has_closed), outcome, explanation);
  }
  return explanation;
}

// With the facts that are there.
Result<CloseExplanation> Explain(const ExplainedConnection& given, CloseEvaluator& evaluator) {
  ListedSocket listed(given.local, given.peer);
  if (given.entry) {
    listed.translated = given.entry->Translated();
    listed.translation = given.entry->translation;
  }
  auto connection = ConnectionBetween(listed, evaluator.Packets().Facts());
  if (!given.host_side && connection && connection->path_kind != PathKind::kForwarded) {
    return ExplainOwn(given, std::move(*connection), evaluator);
  }
  CloseExplanation explanation = ExplainForwarded(given, evaluator);
  if (!given.host_side && !connection && explanation.passage == HostPassage::kInput) {
    return Failure(connection.error());
  }
  return explanation;
}

}  // namespace

Result<CloseExplanation> ExplainClose(const ExplainedConnection& connection, CloseEvaluator& evaluator,
                                      firewall::facts::Resolver* resolver) {
  Result<CloseExplanation> explanation;
  EvaluateInRounds(evaluator, resolver, [&] { explanation = Explain(connection, evaluator); });
  return explanation;
}

}  // namespace finwait::diagnosis
