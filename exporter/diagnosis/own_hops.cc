#include "exporter/diagnosis/own_hops.h"

#include <algorithm>
#include <utility>

#include "collectors/base/pacer.h"
#include "exporter/diagnosis/conntrack_activity.h"
#include "exporter/diagnosis/evaluation_rounds.h"

namespace finwait::diagnosis {
namespace {

// Nobody listens inside for routes that change, as this host's are listened for.
constexpr auto kRoutesAgainAfter = std::chrono::seconds(60);
constexpr auto kAskingAtMost = std::chrono::seconds(2);  // in a round

bool HasRules(const firewall::Ruleset& ruleset) { return !ruleset.tables.empty() || !ruleset.unread.empty(); }

}  // namespace

void OwnHops::RefreshFacts(SteadyClock::time_point now) {
  now_ = now;
  const SteadyClock::time_point begun = SteadyClock::now();
  for (auto& [id, hop] : hops_) {
    firewall::facts::FactStore& facts = hop.evaluator->Packets().Facts().Store();
    facts.Expire(now);
    facts.EvictUnused(now);
    if (now >= hop.routes_as_of + kRoutesAgainAfter) {
      hop.routes_as_of = now;
      facts.Invalidate(firewall::facts::Only(firewall::facts::FactKind::kRoute));
    }
    // Where one answers late, the others' facts wait for the next round.
    if (hop.resolver != nullptr && SteadyClock::now() - begun < kAskingAtMost) {
      hop.resolver->Resolve(facts.Stale(), facts);
    }
  }
}

bool OwnHops::TakeIn(const sources::NetworkNamespacesSample& sample) {
  bool changed = false;
  std::map<std::uint64_t, Hop> hops;
  for (const sources::OtherNamespace& one : sample.namespaces) {
    if (!one.own || !HasRules(*one.own->ruleset)) {
      continue;
    }
    const auto known = hops_.find(one.id);
    if (known != hops_.end() && known->second.ruleset == one.own->ruleset &&
        known->second.tcp_loose == one.own->tcp_loose) {
      hops.emplace(one.id, std::move(known->second));
      continue;
    }
    changed = true;
    Hop hop;
    hop.ruleset = one.own->ruleset;
    hop.tcp_loose = one.own->tcp_loose;
    hop.routes_as_of = now_;
    hop.resolver = resolver_in_ ? resolver_in_(one.id) : nullptr;
    const auto facts = std::make_shared<firewall::facts::FactStore>();
    facts->Expire(now_);
    EvaluationSettings settings;
    settings.tcp_loose = hop.tcp_loose;
    if (hop.resolver != nullptr) {
      settings.conntrack_active = MayNeedConntrack(*hop.ruleset, *hop.resolver, *facts);
    }
    hop.evaluator = std::make_unique<CloseEvaluator>(hop.ruleset, settings, facts);
    hops.emplace(one.id, std::move(hop));
  }
  changed = changed || hops.size() != hops_.size();
  hops_ = std::move(hops);
  return changed;
}

void OwnHops::Retain(const sources::ForeignLiveSockets& live) {
  if (hops_.empty()) {
    return;
  }
  std::map<std::uint64_t, kernel::SocketTable> by_namespace;
  for (std::size_t i = 0; i < live.namespaces.size(); ++i) {
    if (hops_.contains(live.namespaces[i])) {
      by_namespace[live.namespaces[i]].Add(live.sockets[i]);
    }
  }
  for (auto& [id, hop] : hops_) {
    hop.evaluator->Retain(by_namespace[id]);
  }
}

const OwnHops::Hop* OwnHops::Find(std::uint64_t network_namespace) const {
  const auto found = hops_.find(network_namespace);
  return found == hops_.end() ? nullptr : &found->second;
}

OwnHops::Hop* OwnHops::Find(std::uint64_t network_namespace) {
  const auto found = hops_.find(network_namespace);
  return found == hops_.end() ? nullptr : &found->second;
}

bool OwnHops::ResolveNoted() {
  const SteadyClock::time_point begun = SteadyClock::now();
  bool resolved = false;
  for (auto& [id, hop] : hops_) {
    if (hop.resolver == nullptr || SteadyClock::now() - begun >= kAskingAtMost) {
      continue;
    }
    firewall::facts::FactQuery& facts = hop.evaluator->Packets().Facts();
    if (const firewall::facts::Needs needs = facts.TakeNeeds(); !needs.empty()) {
      hop.resolver->Resolve(needs, facts.Store());
      resolved = true;
    }
  }
  return resolved;
}

std::optional<CloseOutcome> OwnHops::Evaluate(std::uint64_t network_namespace, const kernel::TcpSocket& socket) {
  Hop* const hop = Find(network_namespace);
  if (hop == nullptr) {
    return std::nullopt;
  }
  CloseOutcome outcome;
  EvaluateInRounds(*hop->evaluator, hop->resolver.get(), [&] { outcome = hop->evaluator->Evaluate(socket, nullptr); });
  return outcome;
}

void OwnHops::Evaluate(const sources::ForeignLiveSockets& live, std::vector<std::size_t> positions,
                       std::chrono::nanoseconds cpu_time) {
  const CpuStopwatch stopwatch;
  for (auto& [id, hop] : hops_) {
    hop.evaluator->Packets().Facts().TakeNeeds();
  }
  for (int round = 0; round < kMostRounds && !positions.empty(); ++round) {
    std::vector<std::size_t> missing;
    for (const std::size_t i : positions) {
      Hop* const hop = Find(live.namespaces[i]);
      if (hop == nullptr) {
        continue;
      }
      const bool waits =
          stopwatch.Elapsed() >= cpu_time || hop->evaluator->Packets().Facts().Noted().size() >= kNeedsInARound;
      const kernel::TcpSocket socket = live.sockets[i];
      if (!waits) {
        hop->evaluator->FateOf(socket, nullptr);
      }
      if (!hop->evaluator->Remembered(socket, nullptr)) {
        missing.push_back(i);
      }
    }
    positions = std::move(missing);
    if (!ResolveNoted()) {
      return;
    }
  }
}

std::optional<Fate> OwnHops::FateOf(std::uint64_t network_namespace, const kernel::TcpSocket& socket) const {
  const Hop* const hop = Find(network_namespace);
  return hop == nullptr ? std::nullopt : hop->evaluator->RememberedProvisionally(socket, nullptr);
}

std::optional<Cause> OwnHops::FindCause(std::uint64_t network_namespace, kernel::TcpSocket socket,
                                        kernel::Tracking own_tracking, const sources::SysctlSample* sysctl) {
  Hop* const hop = Find(network_namespace);
  if (hop == nullptr || own_tracking == kernel::Tracking::kUnknown) {
    return std::nullopt;
  }
  socket.entry = kernel::SocketEntry();
  socket.entry.tracking = own_tracking;
  StuckContext context;
  context.evaluator = hop->evaluator.get();
  context.sysctl = sysctl;
  const StuckFinding finding = diagnosis::FindCause(socket, context);
  const bool of_its_rules =
      finding.cause == Cause::kLocalDrop || finding.cause == Cause::kReplyDrop || finding.cause == Cause::kNatLost;
  return of_its_rules ? finding.cause : std::nullopt;
}

std::string OwnHops::WhatDecides(const CloseOutcome& outcome) {
  const auto loss = DecisiveDropOf(outcome);
  const bool named = loss && loss->result->location;
  return (named ? Describe(*loss->result->location) : "the rules") + " of its own network namespace";
}

}  // namespace finwait::diagnosis
