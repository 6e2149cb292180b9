#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collectors/firewall/eval/packet_traversal.h"
#include "collectors/firewall/model/rule_id.h"
#include "collectors/firewall/model/ruleset.h"
#include "exporter/diagnosis/close_explanation.h"
#include "exporter/diagnosis/forwarded_close.h"
#include "exporter/diagnosis/packet_evaluator.h"

namespace finwait::report {

/// What becomes of one packet, by the names that JSON and text give it; empty where there is nothing to name.
struct PacketReport {
  std::string_view name;     ///< "fin", "rst", "data", "ack" or "peer_fin"
  std::string_view verdict;  ///< "accept", "drop", "reject" or "unknown"
  bool passes = false;
  std::string_view state;
  std::string_view hook;
  std::optional<firewall::RuleId> rule;  ///< the rule or the policy that decides
  std::string text;                      ///< of that rule, as its own tool prints it
  std::string reason;
};

/// What `explain` says of one connection: its close once its entry is gone, packet by packet.
struct CloseReport {
  diagnosis::Fate fate = diagnosis::Fate::kUnknown;
  std::string reason;           ///< what an unknown fate hangs on
  bool with_entry = false;      ///< `fate` is what becomes of the close already while the entry is there
  std::optional<bool> tracked;  ///< nothing: cannot be asked
  std::string entry;  ///< its entry as `conntrack -L` prints it; empty where there is none, or it cannot be asked
  firewall::eval::PathKind path = firewall::eval::PathKind::kLocal;
  /// How the packets of another namespace pass this host; nothing where one end is this host's own.
  std::optional<diagnosis::HostPassage> passage;
  /// Which end is taken to have opened such a connection, by its port alone; nothing where neither is.
  std::optional<firewall::eval::OpenedBy> taken_to_be_opened_by;
  std::vector<PacketReport> packets;
  /// By which packets of another namespace's connection may pass the rules while its entry is there.
  std::vector<firewall::FlowtableInTable> flowtables;
};

/// Reports a close; of the connection's entry it says nothing. `evaluator`: that has `explanation` from the same rules.
CloseReport ReportClose(const diagnosis::CloseExplanation& explanation, diagnosis::PacketEvaluator& evaluator);

/// Reports what became of packet `name`. `evaluator`: that has `result` from the same rules.
PacketReport ReportPacket(std::string_view name, const firewall::eval::TraversalResult& result,
                          diagnosis::PacketEvaluator& evaluator);

std::string_view Name(diagnosis::HostPassage passage);     ///< "forward", "input" or "bridge"
std::string_view Name(firewall::eval::PathKind path);      ///< "local", "loopback" or "forwarded"
std::string_view Sentence(firewall::eval::PathKind path);  ///< how the connection's packets pass this host

}  // namespace finwait::report
