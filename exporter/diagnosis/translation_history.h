#pragma once

#include <cstdint>
#include <map>

#include "collectors/firewall/eval/nat_effect.h"
#include "collectors/firewall/facts/fact_query.h"
#include "exporter/diagnosis/connection_history.h"

namespace finwait::diagnosis {

/// Whether nat translated a connection when it was opened: from what earlier collections saw of its entry, or else from
/// the nat chains as they are now. Remembers what holds for all connections of a local address. Not thread-safe.
class TranslationHistory {
 public:
  /// Both outlive it.
  TranslationHistory(firewall::eval::ChainEvaluator& evaluator, firewall::facts::FactQuery& facts)
      : evaluator_(evaluator), facts_(facts) {}

  /// By what was seen; nothing where no collection saw the connection with its entry. `history` may be null.
  static std::optional<firewall::eval::NatEffect> Seen(const ConnectionHistory* history);
  /// By the nat chains. What peers open is evaluated once for all connections of a local address if it can be.
  firewall::eval::NatEffect ByRules(const firewall::eval::Connection& connection, firewall::eval::OpenedBy opened_by,
                                    const firewall::eval::PacketPathSettings& settings);

 private:
  struct Arrivals {
    bool left_alone = false;
    bool complete = false;   // nothing was missing when it was evaluated
    std::uint64_t puts = 0;  // FactStore::Puts() then
  };
  // Of connections that peers open to `local`.
  const Arrivals& ArrivalsAt(const IpAddress& local, const firewall::eval::PacketPathSettings& settings);

  firewall::eval::ChainEvaluator& evaluator_;
  firewall::facts::FactQuery& facts_;
  std::map<IpAddress, Arrivals> arrivals_;  // by local address; of few, as those of sockets here are this host's
};

}  // namespace finwait::diagnosis
