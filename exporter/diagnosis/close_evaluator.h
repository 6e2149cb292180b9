#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "collectors/firewall/eval/chain_evaluator.h"
#include "collectors/firewall/eval/packet_traversal.h"
#include "collectors/firewall/facts/fact_query.h"
#include "collectors/firewall/facts/resolver.h"
#include "collectors/kernel/ingress_devices.h"
#include "collectors/kernel/socket_table.h"
#include "collectors/sources/conntrack_stats.h"
#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/sysctl.h"
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
  /// By IpFamily: devices on which peers' packets may come in, beside the one that routing picks.
  std::array<std::vector<kernel::IngressDevice>, 2> ingress_devices = {};
  /// The conntrack table is full, and holds nothing that conntrack may evict; nothing: it is full, and may.
  std::optional<bool> table_full = false;
  bool operator==(const EvaluationSettings&) const = default;
};

/// What a live socket tells beyond its connection.
struct SocketCircumstances {
  bool peer_has_closed = false;  ///< CLOSE_WAIT: its FIN has come, and no second one will
  /// Data or window probes go out before the FIN and again and again: they bring the entry back, and the FIN has it.
  bool sends_first = false;
};

/// How the settings follow from what collectors sampled; `conntrack_active` is left as it is. Each may be null.
void TakeSettings(const sources::SysctlSample* sysctl, const sources::ConntrackStatsSample* stats,
                  const sources::ConntrackTableSample* table, EvaluationSettings& settings);

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
  CloseOutcome Evaluate(const firewall::eval::Connection& connection, const ConnectionHistory* history,
                        const SocketCircumstances& circumstances = {});
  /// Whether nat translated the connection when it was opened.
  firewall::eval::NatEffect TranslationOf(const firewall::eval::Connection& connection,
                                          const ConnectionHistory* history);
  /// What becomes of the ACK by which this end answers the peer's FIN, without an entry.
  firewall::eval::TraversalResult LastAck(const firewall::eval::Connection& connection);
  /// What becomes of the RST of a peer that has no such connection any more.
  firewall::eval::TraversalResult EvaluatePeersReset(const firewall::eval::Connection& connection);
  /// What becomes of the RST by which this host answers the ACK of its FIN, of `kind`, where `ack` says that it is
  /// rejected; nothing where it sends none.
  std::optional<firewall::eval::TraversalResult> ResetOfPeer(const firewall::eval::Connection& connection,
                                                             firewall::eval::PacketKind kind,
                                                             const firewall::eval::TraversalResult& ack);
  /// What becomes of one packet without an entry. Evaluated for either value of tcp_loose where that could not be read:
  /// unknown where they differ.
  firewall::eval::TraversalResult EvaluatePath(const firewall::eval::Connection& connection,
                                               firewall::eval::PacketKind kind);
  /// The same for a packet whose entry is there.
  firewall::eval::TraversalResult EvaluateTrackedPath(const firewall::eval::Connection& connection,
                                                      firewall::eval::PacketKind kind);

  /// The fate if it has been evaluated before under the same circumstances.
  std::optional<Fate> Remembered(const kernel::TcpSocket& socket, const ConnectionHistory* history) const {
    return memo_.Find(socket, history, facts_.Store());
  }
  /// The same, also where facts were missing for it.
  std::optional<Fate> RememberedProvisionally(const kernel::TcpSocket& socket, const ConnectionHistory* history) const {
    return memo_.FindProvisional(socket, history, facts_.Store());
  }
  /// OutcomeMemo::FindSite() of the fate that is remembered: of a close without the entry, and of one with it.
  std::uint16_t RememberedSite(const kernel::TcpSocket& socket, const ConnectionHistory* history) const {
    return memo_.FindSite(socket, history, facts_.Store());
  }
  std::uint16_t RememberedTrackedSite(const kernel::TcpSocket& socket) const {
    return tracked_memo_.FindSite(socket, nullptr, facts_.Store());
  }
  /// The fate alone, remembered. Complete only if Remembered() finds it afterwards. Of a socket that has its entry, it
  /// is what the rules alone would come to without: what else may drop its packets lets them pass today, and tells no
  /// healthy host from another.
  Fate FateOf(const kernel::TcpSocket& socket, const ConnectionHistory* history);

  /// What this host's rules do to the FIN of a socket whose entry is there (ctstate ESTABLISHED).
  firewall::eval::TraversalResult TrackedFin(const kernel::TcpSocket& socket);
  /// The outcome of a close of `socket` while its entry is there: kFinDropped or kPeerFinDropped where rules drop FINs
  /// that have an entry (leak prevention, for one), else kClean. A FIN that is lost by chance is tried again: what
  /// cannot be known is taken for clean, as nearly all rulesets let pass what has an entry.
  CloseOutcome EvaluateTracked(const kernel::TcpSocket& socket);
  CloseOutcome EvaluateTracked(const firewall::eval::Connection& connection, bool peer_has_closed);
  /// Its fate alone, remembered.
  Fate TrackedFateOf(const kernel::TcpSocket& socket);
  /// Whether every connection of the family on that path closes cleanly while its entry is there.
  bool AllTrackedAreClean(IpFamily family, firewall::eval::PathKind path_kind, bool peer_has_closed);
  /// The fate if it is known for all connections like it, or has been evaluated before.
  std::optional<Fate> RememberedTracked(const kernel::TcpSocket& socket);

  /// Who hears the ends of packets of connections that stand for a class, and where to note which rules packets have
  /// come past; null: nobody. Neither is owned.
  void Observe(firewall::eval::EndsObserver* observer, firewall::eval::ChainEvaluator::RulesReached* reached) {
    evaluator_.Observe(observer);
    evaluator_.NoteReached(reached);
  }

  /// What becomes of a packet of the representative flow, which no narrower rule singles out.
  firewall::eval::TraversalResult General(IpFamily family, firewall::eval::PathKind path,
                                          firewall::eval::PacketKind kind);
  /// The same with an entry.
  firewall::eval::TraversalResult RepresentativeTracked(IpFamily family, firewall::eval::PacketKind kind);

  /// From now on paths are evaluated as with those rules; null: as the rules are. Outcomes must not be asked for
  /// meanwhile.
  void Plan(const firewall::eval::PlannedAccepts* planned) { evaluator_.Plan(planned); }

  /// The connection of a socket, with the facts that rules ask for.
  firewall::eval::Connection ConnectionWithFacts(const kernel::TcpSocket& socket) {
    return ConnectionOf(ListedSocket(socket), facts_);
  }

  /// What a result's id names. Valid until facts change.
  firewall::eval::RulePlace FindRule(const firewall::RuleId& id) { return evaluator_.FindRule(id); }

  /// Adds to an unknown fate's reason what was missing for it since Facts().Missed() was `missed`.
  void NameMissingFact(std::size_t missed, CloseOutcome& outcome) const;

  /// Prunes the sockets that are not among `sockets`.
  void Retain(const kernel::SocketTable& sockets) {
    memo_.Retain(sockets);
    tracked_memo_.Retain(sockets);
  }

 private:
  // What holds for all connections of a family, and all that it hung on.
  struct ForFamily {
    std::optional<firewall::eval::TraversalResult> result;  // nothing: it depends on the connection
    firewall::facts::FactKinds hung_on = 0;
    std::uint32_t facts_as_of = 0;
    bool complete = false;
    std::uint64_t puts = 0;
  };

  using Evaluation = std::function<firewall::eval::TraversalResult(const firewall::eval::PacketPathSettings&)>;
  /// What becomes of a packet, for either value of tcp_loose where that could not be read.
  firewall::eval::TraversalResult EvaluateWithSettings(IpFamily family, const Evaluation& evaluate);
  firewall::eval::PacketPathSettings SettingsFor(IpFamily family, bool tcp_loose);
  firewall::eval::Connection WithFacts(const ListedSocket& socket, bool peer_has_closed);
  CloseOutcome EvaluateWith(const firewall::eval::Connection& connection, const ListedSocket* socket,
                            const ConnectionHistory* history, const SocketCircumstances& circumstances);
  /// `result` where every device that the peer's packets may come in on leads to it, else unknown.
  firewall::eval::TraversalResult OnWhicheverDevice(const firewall::eval::Connection& connection,
                                                    firewall::eval::PacketKind kind,
                                                    firewall::eval::TraversalResult result);
  /// What conntrack itself does to packets that have no entry where its table is full.
  firewall::eval::TraversalResult UnlessTableIsFull(firewall::eval::TraversalResult result, IpFamily family) const;
  firewall::eval::TraversalResult EvaluateOnRoutedDevice(const firewall::eval::Connection& connection,
                                                         firewall::eval::PacketKind kind);
  firewall::eval::NatEffect TranslationWith(const firewall::eval::Connection& connection, const ListedSocket* socket,
                                            const ConnectionHistory* history);
  /// For every connection of the family that is not over loopback, or nothing where it depends on the connection.
  const std::optional<firewall::eval::TraversalResult>& ForAll(IpFamily family, firewall::eval::PacketKind kind) {
    return ForAll({family, firewall::eval::PathKind::kLocal, kind, false, by_rules_alone_});
  }
  // What such a result is of.
  struct Question {
    IpFamily family = IpFamily::kIpv4;
    firewall::eval::PathKind path_kind = firewall::eval::PathKind::kLocal;
    firewall::eval::PacketKind kind = firewall::eval::PacketKind::kFin;
    bool tracked = false;
    bool by_rules_alone = false;
    auto operator<=>(const Question&) const = default;
  };
  const std::optional<firewall::eval::TraversalResult>& ForAll(const Question& question);
  firewall::eval::TraversalResult Evaluate(const firewall::eval::Connection& connection, const Question& question);
  /// Whether every connection like `socket` closes cleanly while its entry is there.
  bool AllTrackedAreClean(const ListedSocket& socket, bool peer_has_closed);
  /// Whether what holds for all connections may not hold for one, for the control group of its socket.
  bool HangsOnGroups(IpFamily family);
  /// Whether `address` is this host's, or has yet to be asked for. The packets of a connection between two addresses of
  /// this host come in again.
  bool MayBeOwn(const IpAddress& address);
  /// Whether what is known for all connections is known for those over loopback, too, and is the same.
  bool FareAlikeOverLoopback(IpFamily family, bool peer_has_closed);
  /// Unknown where `result` lets a packet pass rules that could not all be read.
  firewall::eval::TraversalResult UnlessUnavailable(firewall::eval::TraversalResult result, IpFamily family) const;
  firewall::eval::TraversalResult ForOne(const firewall::eval::Connection& connection, firewall::eval::PacketKind kind);

  std::shared_ptr<const firewall::Ruleset> ruleset_;
  EvaluationSettings settings_;
  std::shared_ptr<firewall::facts::FactStore> store_;
  firewall::facts::FactQuery facts_;
  firewall::eval::ChainEvaluator evaluator_;
  TranslationHistory translation_;
  std::map<Question, ForFamily> for_all_;
  bool by_rules_alone_ = false;  // what else may drop packets counts for nothing
  OutcomeMemo memo_;
  OutcomeMemo tracked_memo_;  // of sockets whose entry is there
};

}  // namespace finwait::diagnosis
