#pragma once

#include <chrono>
#include <memory>

#include "collectors/firewall/read/kernel_resolver.h"
#include "collectors/kernel/find_socket.h"
#include "collectors/kernel/host.h"
#include "collectors/kernel/route.h"
#include "exporter/diagnosis/close_evaluator.h"

namespace finwait::diagnosis {

/// Asks the kernel anew for each question, each with its own time limit, so that it can be kept for as long as a
/// ruleset lasts. Keeps no answers: the evaluator does.
class RuleQueries : public firewall::RuleResolver {
 public:
  explicit RuleQueries(kernel::Host host) : host_(std::move(host)) {}

  Result<std::shared_ptr<const firewall::Chain>> ReadChain(const firewall::Table& table,
                                                           const std::string& chain) override {
    return Reader().ReadChain(table, chain);
  }
  Result<firewall::Table> ReadLegacyTable(const firewall::Table& table) override {
    return Reader().ReadLegacyTable(table);
  }
  Result<std::shared_ptr<const firewall::Set>> ReadSet(const firewall::Table& table, const std::string& set) override {
    return Reader().ReadSet(table, set);
  }
  Result<std::optional<firewall::SetElement>> FindElement(const firewall::Table& table, const firewall::Set& set,
                                                          const firewall::Value& key) override {
    return Reader().FindElement(table, set, key);
  }
  Result<bool> HasQuota(const std::string& accounting_object) override { return Reader().HasQuota(accounting_object); }

 private:
  static constexpr auto kLimit = std::chrono::seconds(2);
  firewall::read::KernelResolver Reader() const {
    return firewall::read::KernelResolver(host_, Deadline::After(kLimit));
  }

  kernel::Host host_;
};

/// All questions, asked of `host`.
inline KernelQueries QueriesTo(const kernel::Host& host) {
  static constexpr auto kLimit = std::chrono::seconds(1);
  KernelQueries questions;
  questions.rules = std::make_shared<RuleQueries>(host);
  questions.route = [host](const IpAddress& source, const IpAddress& destination) {
    auto route = FindRoute(host, source, destination, Deadline::After(kLimit));
    return route ? std::optional(*route) : std::nullopt;
  };
  questions.masquerade = [host](const kernel::Route& route, const IpAddress& destination) {
    return MasqueradeAddress(host, route, destination, Deadline::After(kLimit));
  };
  questions.opened_by = [host](const Endpoint& local, const Endpoint& peer) {
    const auto socket = FindSocket(host, local, peer, Deadline::After(kLimit));
    if (!socket || !*socket || !(*socket)->opened_here) {
      return firewall::eval::OpenedBy::kUnknown;
    }
    return *(*socket)->opened_here ? firewall::eval::OpenedBy::kLocal : firewall::eval::OpenedBy::kPeer;
  };
  return questions;
}

}  // namespace finwait::diagnosis
