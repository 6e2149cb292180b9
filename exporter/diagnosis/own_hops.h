#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collectors/firewall/facts/resolver.h"
#include "collectors/sources/network_namespaces.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/stuck.h"

namespace finwait::diagnosis {

/// The resolver of an entered namespace, by sources::OtherNamespace::id; null where it cannot be asked.
using ResolverIn = std::function<std::shared_ptr<firewall::facts::Resolver>(std::uint64_t network_namespace)>;

/// What entered namespaces do to closing packets of their own sockets: the first hop of such a connection, by that
/// namespace's rules, settings and facts. Namespaces without rules have no hop. Not thread-safe.
class OwnHops {
 public:
  void ResolveBy(ResolverIn resolver_in) { resolver_in_ = std::move(resolver_in); }

  /// Lets go of facts that may not be true any more; `now` is of this diagnosis.
  void RefreshFacts(SteadyClock::time_point now);
  /// Takes in the rules of a sample. Returns whether any have changed.
  bool TakeIn(const sources::NetworkNamespacesSample& sample);
  bool IsEmpty() const { return hops_.empty(); }
  /// Forgets the sockets that are not among `live`.
  void Retain(const sources::ForeignLiveSockets& live);

  /// The outcome of a close of `socket` without its entry in that namespace; nothing where that has no hop.
  std::optional<CloseOutcome> Evaluate(std::uint64_t network_namespace, const kernel::TcpSocket& socket);
  /// Evaluates, in rounds, the sockets of `live` at `positions` that are not remembered: as many as there is CPU time
  /// for, in this order. What one connection needs is asked for together with the others'.
  void Evaluate(const sources::ForeignLiveSockets& live, std::vector<std::size_t> positions,
                std::chrono::nanoseconds cpu_time);
  bool Has(std::uint64_t network_namespace) const { return hops_.contains(network_namespace); }
  /// The fate that was evaluated, also where facts were missing for it.
  std::optional<Fate> FateOf(std::uint64_t network_namespace, const kernel::TcpSocket& socket) const;

  /// Why a stuck socket is, as far as its own namespace has a part in it; nothing where it has none. What is missing is
  /// noted, for ResolveNoted().
  std::optional<Cause> FindCause(std::uint64_t network_namespace, kernel::TcpSocket socket,
                                 kernel::Tracking own_tracking, const sources::SysctlSample* sysctl);

  /// Reads what the last evaluations found missing. False where that was nothing, or nobody can be asked.
  bool ResolveNoted();

  /// For a reader: "iptables-nft table filter, chain OUTPUT, handle 7 of its own network namespace".
  static std::string WhatDecides(const CloseOutcome& outcome);

 private:
  struct Hop {
    std::shared_ptr<const firewall::Ruleset> ruleset;
    std::optional<bool> tcp_loose;
    std::unique_ptr<CloseEvaluator> evaluator;
    std::shared_ptr<firewall::facts::Resolver> resolver;
    SteadyClock::time_point routes_as_of;
  };

  Hop* Find(std::uint64_t network_namespace);
  const Hop* Find(std::uint64_t network_namespace) const;

  ResolverIn resolver_in_;
  std::map<std::uint64_t, Hop> hops_;
  SteadyClock::time_point now_;
};

}  // namespace finwait::diagnosis
