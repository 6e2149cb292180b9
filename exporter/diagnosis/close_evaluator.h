#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "collectors/firewall/eval/chain_evaluator.h"
#include "collectors/firewall/eval/packet_traversal.h"
#include "collectors/firewall/facts/fact_query.h"
#include "collectors/firewall/facts/resolver.h"
#include "collectors/kernel/socket_table.h"
#include "exporter/diagnosis/close_outcome.h"
#include "exporter/diagnosis/connection_facts.h"
#include "exporter/diagnosis/connection_history.h"
#include "exporter/diagnosis/outcome_memo.h"
#include "exporter/diagnosis/translation_history.h"

namespace finwait::diagnosis {

/// What an evaluation needs to know of the namespace from samples, beside the rules.
struct EvaluationSettings {
  std::optional<bool> tcp_loose;                        ///< nothing: could not be read
  std::array<bool, 2> conntrack_active = {true, true};  ///< by IpFamily
  bool operator==(const EvaluationSettings&) const = default;
};

/// Evaluates closes against one ruleset and a store of facts. Asks nobody: facts that the store does not hold are
/// noted, and what hangs on them is unknown until a resolver has put them there; EvaluateInRounds() is the loop. What
/// holds for every connection of a family is evaluated once, what depends on addresses once a connection. Not
/// thread-safe.
class CloseEvaluator {
 public:
  /// `facts`: null for a store of its own.
  CloseEvaluator(std::shared_ptr<const firewall::Ruleset> ruleset, EvaluationSettings settings,
                 std::shared_ptr<firewall::facts::FactStore> facts);
  CloseEvaluator(const CloseEvaluator&) = delete;
  CloseEvaluator& operator=(const CloseEvaluator&) = delete;

  bool IsFor(const firewall::Ruleset* ruleset, const EvaluationSettings& settings) const {
    return ruleset_.get() == ruleset && settings_ == settings;
  }
  const firewall::Ruleset& GetRuleset() const { return *ruleset_; }
  /// What is missing for the evaluations so far.
  firewall::facts::FactQuery& Facts() { return facts_; }

  /// The outcome of a close of `socket` without an entry. `history`: what earlier collections saw of it, null for
  /// nothing.
  CloseOutcome Evaluate(const kernel::TcpSocket& socket, const ConnectionHistory* history);
  /// The same for a connection that need have no socket here.
  CloseOutcome Evaluate(const firewall::eval::Connection& connection, const ConnectionHistory* history);
  /// Whether nat translated the connection when it was opened.
  firewall::eval::NatEffect TranslationOf(const firewall::eval::Connection& connection,
                                          const ConnectionHistory* history);
  /// What becomes of one packet without an entry. Evaluated for either value of tcp_loose where that could not be read:
  /// unknown where they differ.
  firewall::eval::TraversalResult EvaluatePath(const firewall::eval::Connection& connection,
                                               firewall::eval::PacketKind kind);

  /// The fate if it has been evaluated before under the same circumstances.
  std::optional<Fate> Remembered(const kernel::TcpSocket& socket, const ConnectionHistory* history) const {
    return memo_.Find(socket, history, facts_.Store());
  }
  /// The same, also where facts were missing for it.
  std::optional<Fate> RememberedProvisionally(const kernel::TcpSocket& socket, const ConnectionHistory* history) const {
    return memo_.FindProvisional(socket, history, facts_.Store());
  }
  /// The fate alone, remembered. Complete only if Remembered() finds it afterwards.
  Fate FateOf(const kernel::TcpSocket& socket, const ConnectionHistory* history);

  /// What this host's rules do to the FIN of a socket whose entry is there (ctstate ESTABLISHED).
  firewall::eval::TraversalResult TrackedFin(const kernel::TcpSocket& socket);

  /// Who hears the ends of packets of connections that stand for a class, and where to note which rules packets have
  /// come past; null: nobody. Neither is owned.
  void Observe(firewall::eval::EndsObserver* observer, firewall::eval::ChainEvaluator::RulesReached* reached) {
    evaluator_.Observe(observer);
    evaluator_.NoteReached(reached);
  }

  /// What becomes of a packet of the representative flow, which no narrower rule singles out.
  firewall::eval::TraversalResult General(IpFamily family, firewall::eval::PathKind path,
                                          firewall::eval::PacketKind kind);

  /// What a result's id names. Valid until facts change.
  firewall::eval::RulePlace FindRule(const firewall::RuleId& id) { return evaluator_.FindRule(id); }

  /// Forgets the sockets that are not among `sockets`.
  void Retain(const kernel::SocketTable& sockets) { memo_.Retain(sockets); }

 private:
  // What holds for all connections of a family, and all that it hung on.
  struct ForFamily {
    std::optional<firewall::eval::TraversalResult> result;  // nothing: it depends on the connection
    firewall::facts::FactKinds hung_on = 0;
    std::uint32_t facts_as_of = 0;
    bool complete = false;
    std::uint64_t puts = 0;
  };

  firewall::eval::NamespaceSettings SettingsFor(IpFamily family, bool tcp_loose);
  firewall::eval::Connection WithFacts(const ListedSocket& socket, bool peer_has_closed);
  CloseOutcome EvaluateWith(const firewall::eval::Connection& connection, const ListedSocket* socket,
                            const ConnectionHistory* history, bool peer_has_closed);
  /// The fate of a connection whose FIN leaves, by what this host does to the peer's packets.
  void EvaluatePeersHalf(const firewall::eval::Connection& connection, bool peer_has_closed, CloseOutcome& outcome);
  firewall::eval::NatEffect TranslationWith(const firewall::eval::Connection& connection, const ListedSocket* socket,
                                            const ConnectionHistory* history);
  /// For every connection of the family that is not over loopback, or nothing where it depends on the connection.
  const std::optional<firewall::eval::TraversalResult>& ForAll(IpFamily family, firewall::eval::PacketKind kind);
  firewall::eval::TraversalResult ForOne(const firewall::eval::Connection& connection, firewall::eval::PacketKind kind);

  std::shared_ptr<const firewall::Ruleset> ruleset_;
  EvaluationSettings settings_;
  std::shared_ptr<firewall::facts::FactStore> store_;
  firewall::facts::FactQuery facts_;
  firewall::eval::ChainEvaluator evaluator_;
  TranslationHistory translation_;
  std::map<std::pair<IpFamily, firewall::eval::PacketKind>, ForFamily> for_all_;
  OutcomeMemo memo_;
};

}  // namespace finwait::diagnosis
