#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/firewall/facts/fact.h"
#include "collectors/firewall/facts/need.h"
#include "collectors/kernel/tcp_socket.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/connection_history.h"
#include "exporter/diagnosis/connection_space.h"
#include "exporter/planning/close_result.h"

namespace finwait::planning {

/// A socket of the host, with what the kernel tells of it and of its entry.
struct ReportedSocket {
  kernel::TcpSocket socket;       ///< its ends, state, owner, device and entry; what else there is, is not reported
  firewall::facts::Socket facts;  ///< what rules can ask for
  /// Whether the rules in force, when it was opened, translated it; nothing: its entry tells, or nobody does.
  std::optional<std::pair<bool, bool>> translated = {};  ///< source, destination

  /// What was seen of it; nothing where nothing was.
  std::optional<diagnosis::ConnectionHistory> History() const;
};

/// All that an evaluation needs to know of a host beside its rules. A value: a report holds it.
struct HostFacts {
  /// Reports that hold more sockets than this hold so many, and say how many are left out.
  static constexpr std::size_t kMostSockets = 50'000;

  std::string host_name;
  std::vector<firewall::facts::Interface> devices;  ///< all, by index
  PerFamily<firewall::packet::Routing> routing = {};
  PerFamily<bool> routing_known = {false, false};
  diagnosis::EvaluationSettings settings;  ///< all but `conntrack_active`, which follows from rules
  std::vector<ReportedSocket> sockets;     ///< that can still close or have begun to
  std::size_t sockets_not_listed = 0;
  /// Facts of the namespace; and routes where the destination alone does not tell them.
  std::map<firewall::facts::Need, firewall::facts::Fact> answers;
  std::optional<std::set<std::uint16_t>> queue_listeners;  ///< nothing: cannot be read
  std::vector<std::string> lacks;  ///< what could not be read, each as a sentence without a stop

  diagnosis::ConnectionSpace Space(IpFamily family) const;
};

/// Connections that end alike.
struct ResultClass {
  firewall::eval::PathKind path = firewall::eval::PathKind::kLocal;
  firewall::packet::ConnectionClass connections;
  CloseResult close;
};

/// How every connection of a host closes under one ruleset.
struct HostResults {
  std::vector<CloseResult> sockets;     ///< in the order of HostFacts::sockets
  std::vector<ResultClass> classes;     ///< they cover HostFacts::Space()
  std::vector<std::string> incomplete;  ///< what was not told apart, each as a sentence without a stop
  std::optional<std::string> rules;     ///< IdentityOf() the ruleset
};

/// What a report holds for plans.
struct HostReport {
  HostFacts facts;
  HostResults results;  ///< under the rules in force
};

}  // namespace finwait::planning
