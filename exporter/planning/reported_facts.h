#pragma once

#include <map>

#include "collectors/firewall/facts/resolver.h"
#include "collectors/kernel/find_socket.h"
#include "exporter/planning/host_facts.h"

namespace finwait::planning {

/// Answers needs of two places as those of one: what rules and sets say, by `rules`, of the namespace where they are
/// loaded; what the host is like, from its facts.
class ReportedFacts : public firewall::facts::Resolver {
 public:
  /// Both outlive it. `host` keeps its sockets as they are.
  ReportedFacts(const HostFacts& host, firewall::facts::Resolver& rules);

  void Resolve(const firewall::facts::Needs& needs, firewall::facts::FactStore& store) override;
  /// Nothing: a report stays as it is.
  void TakeInChanges(firewall::facts::FactStore&) override {}

 private:
  firewall::facts::Fact AnswerTo(const firewall::facts::Need& need) const;
  firewall::facts::Fact RouteTo(const firewall::facts::RouteKey& key) const;

  const HostFacts& host_;
  firewall::facts::Resolver& rules_;
  std::map<kernel::SocketEnds, const ReportedSocket*> sockets_;
};

/// Whether `address` is one of the host's, as `routing` has it.
bool HasAddress(const firewall::packet::Routing& routing, const IpAddress& address);

/// Whether `routing` alone tells the route that `key` asks for. Never one of a packet that comes in.
bool TellsRoute(const firewall::packet::Routing& routing, const firewall::facts::RouteKey& key);

}  // namespace finwait::planning
