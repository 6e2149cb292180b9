#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/firewall/facts/resolver.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/forwarded_close.h"

namespace finwait::diagnosis {

/// A connection whose close is to be explained: it need not exist.
struct ExplainedConnection {
  Endpoint local;
  Endpoint peer;
  /// How its packets come in, where it is another namespace's; nothing: the host's routes tell whose it is.
  std::optional<HostSide> host_side = {};
  std::optional<ConnectionHistory> entry = {};  ///< what its entry tells; nothing: it has none, or that cannot be asked
  SocketCircumstances circumstances = {};
  bool window_closed = false;  ///< of another namespace's connection: what its socket sends first are window probes
  /// What holds where no socket tells it.
  std::optional<firewall::eval::OpenedBy> opened_by = {};
  std::optional<std::uint32_t> mark = {};
  std::optional<std::uint32_t> user = {};
  std::optional<std::uint32_t> group = {};
  /// The first of net.ipv4.ip_local_port_range, of which connect() takes a port; services are below it. Nothing: it
  /// cannot be read.
  std::optional<unsigned> first_client_port = {};
};

/// What becomes of one packet without the connection's entry.
struct ExplainedPacket {
  std::string_view name;  ///< "fin", "rst", "data", "ack" or "peer_fin"
  firewall::eval::TraversalResult result;
};

/// What becomes of a close once the connection's entry is gone, packet by packet.
struct CloseExplanation {
  Fate fate = Fate::kUnknown;
  std::string reason;       ///< what an unknown fate hangs on
  bool with_entry = false;  ///< `fate` is what becomes of the close already while the entry is there
  firewall::eval::PathKind path = firewall::eval::PathKind::kLocal;
  /// How the packets of another namespace pass this host; nothing where one end is this host's own.
  std::optional<HostPassage> passage;
  /// Which end is taken to have opened such a connection, by its port alone; nothing where neither is.
  std::optional<firewall::eval::OpenedBy> taken_to_be_opened_by;
  std::vector<ExplainedPacket> packets;
  /// By which packets of another namespace's connection may pass the rules while its entry is there.
  std::vector<firewall::FlowtableInTable> flowtables;
};

/// Evaluates a close of `connection`; what facts are missing `resolver` reads, which may be null. An error where the
/// two ends were given in the wrong order.
Result<CloseExplanation> ExplainClose(const ExplainedConnection& connection, CloseEvaluator& evaluator,
                                      firewall::facts::Resolver* resolver);

}  // namespace finwait::diagnosis
