#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collectors/firewall/eval/packet_traversal.h"
#include "collectors/firewall/facts/resolver.h"
#include "tests/recording/case.h"

namespace finwait::recording {

/// A connection that a kernel test closed without its conntrack entry: what was known of it, and what the kernel did.
struct ClosedConnection {
  firewall::eval::Connection facts;
  /// The packets that it showed: whether each passed; nothing where the sockets did not show it.
  std::map<firewall::eval::PacketKind, std::optional<bool>> passed;
};

inline constexpr const char* kConnectionsFile = "connections.json";

/// What routing answered, where a route is, and why not where it could not be told; nothing: there is no route.
struct NotedRoute {
  std::optional<firewall::facts::Route> route;
  std::string unknown_because;
};
using NotedRoutes = std::map<firewall::facts::RouteKey, NotedRoute>;

/// All connections that were closed under the rules of one case, as a file like `connections.json` has them.
struct ClosedConnections {
  bool tcp_loose = true;  ///< net.netfilter.nf_conntrack_tcp_loose
  std::vector<ClosedConnection> all;
  NotedRoutes routes;  ///< all that their evaluation asked for

  std::string Text() const;
  /// Throws where `text` is not such a file.
  static ClosedConnections Parse(const std::string& text);
  /// Writes the case's file unless it says the same, but for the ports that the kernel draws.
  void WriteIfChanged(const Case& one, const std::string& file = kConnectionsFile) const;
};

/// "fin", "rst", "data", "ack", "peer_fin", "syn", "peer_syn".
std::string_view NameOf(firewall::eval::PacketKind kind);

/// What becomes of each packet that `connections` showed, evaluated from `ruleset` and what `resolver` tells. Routes
/// that are not noted yet are asked for and noted. In their order, the packets of a connection in the order of their
/// kinds.
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
std::vector<EvaluatedPacket> EvaluateAll(ClosedConnections& connections, const firewall::Ruleset& ruleset,
                                         firewall::facts::Resolver& resolver);

/// "fin passed" for each packet, in the order of `connections`: what two runs of one case have in common.
std::string OutcomesOf(const ClosedConnections& connections);

}  // namespace finwait::recording
