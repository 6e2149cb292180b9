#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collectors/firewall/eval/packet_traversal.h"
#include "tests/recording/case.h"

namespace finwait::recording {

/// A connection that a kernel test closed without its conntrack entry: what was known of it, and what the kernel did.
struct ClosedConnection {
  firewall::eval::Connection facts;
  /// The packets that it showed: whether each passed; nothing where the sockets did not show it.
  std::map<firewall::eval::PacketKind, std::optional<bool>> passed;
};

inline constexpr const char* kConnectionsFile = "connections.json";

/// All connections that were closed under the rules of one case, as a file like `connections.json` has them.
struct ClosedConnections {
  bool tcp_loose = true;  ///< net.netfilter.nf_conntrack_tcp_loose
  std::vector<ClosedConnection> all;

  std::string Text() const;
  /// Throws where `text` is not such a file.
  static ClosedConnections Parse(const std::string& text);
  /// Writes the case's file unless it says the same, but for the ports that the kernel draws.
  void WriteIfChanged(const Case& one, const std::string& file = kConnectionsFile) const;
};

/// "fin", "rst", "data", "ack", "peer_fin", "syn", "peer_syn".
std::string_view NameOf(firewall::eval::PacketKind kind);

/// Notes each answer of `connection.route_anew`, so that it is written down with the connection.
void NoteRoutes(firewall::eval::Connection& connection);

/// What becomes of each packet that `connections` showed, evaluated from `ruleset` and what `resolver` reads on demand.
/// In their order, the packets of a connection in the order of their kinds.
struct EvaluatedPacket {
  const ClosedConnection* connection = nullptr;
  firewall::eval::PacketKind kind = firewall::eval::PacketKind::kFin;
  firewall::eval::Disposition disposition = firewall::eval::Disposition::kUnknown;
  std::string reason;
  std::optional<bool> passed;

  /// Predicted accept and did not pass, or predicted drop and passed.
  bool IsWrong() const;
  std::string Describe() const;
};
std::vector<EvaluatedPacket> EvaluateAll(const ClosedConnections& connections, const firewall::Ruleset& ruleset,
                                         firewall::RuleResolver& resolver);

/// "fin passed" for each packet, in the order of `connections`: what two runs of one case have in common.
std::string OutcomesOf(const ClosedConnections& connections);

}  // namespace finwait::recording
