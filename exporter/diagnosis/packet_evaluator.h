#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/firewall/eval/chain_evaluator.h"
#include "collectors/firewall/eval/packet_traversal.h"
#include "collectors/firewall/facts/fact_query.h"
#include "collectors/kernel/ingress_devices.h"
#include "collectors/sources/conntrack_stats.h"
#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/connection_facts.h"
#include "exporter/diagnosis/connection_history.h"
#include "exporter/diagnosis/translation_history.h"

namespace finwait::diagnosis {

/// What an evaluation needs to know of the namespace from samples, beside the rules.
struct EvaluationSettings {
  std::optional<bool> tcp_loose;  ///< nothing: could not be read
  PerFamily<bool> conntrack_active = {true, true};
  /// Devices on which peers' packets may come in, beside the one that routing picks.
  PerFamily<std::vector<kernel::IngressDevice>> ingress_devices = {};
  /// The conntrack table is full, and holds nothing that conntrack may evict; nothing: it is full, and may.
  std::optional<bool> table_full = false;
  bool operator==(const EvaluationSettings&) const = default;
};

/// How the settings follow from what collectors sampled; `conntrack_active` is left as it is. Each may be null.
void TakeSettings(const sources::SysctlSample* sysctl, const sources::ConntrackStatsSample* stats,
                  const sources::ConntrackTableSample* table, EvaluationSettings& settings);

/// What becomes of the packets of a close, one by one, by one ruleset and a store of facts. Asks nobody: facts that the
/// store does not hold are noted, and what hangs on them is unknown until a resolver has put them there. What holds for
/// every connection of a family is evaluated once. Not thread-safe.
class PacketEvaluator {
 public:
  /// `facts`: null for a store of its own.
  PacketEvaluator(std::shared_ptr<const firewall::Ruleset> ruleset, EvaluationSettings settings,
                  std::shared_ptr<firewall::facts::FactStore> facts);
  PacketEvaluator(const PacketEvaluator&) = delete;
  PacketEvaluator& operator=(const PacketEvaluator&) = delete;

  bool IsFor(const firewall::Ruleset* ruleset, const EvaluationSettings& settings) const {
    return ruleset_.get() == ruleset && settings_ == settings;
  }
  const firewall::Ruleset& GetRuleset() const { return *ruleset_; }
  /// What is missing for the evaluations so far.
  firewall::facts::FactQuery& Facts() { return facts_; }
  const firewall::facts::FactStore& Store() const { return *store_; }

  /// What becomes of one packet without an entry. Evaluated for either value of tcp_loose where that could not be read:
  /// unknown where they differ.
  firewall::eval::TraversalResult EvaluatePath(const firewall::eval::Connection& connection,
                                               firewall::eval::PacketKind kind);
  /// The same, from what holds for all connections of the family where that settles it.
  firewall::eval::TraversalResult EvaluateOne(const firewall::eval::Connection& connection,
                                              firewall::eval::PacketKind kind);
  /// The same for a packet whose entry is there.
  firewall::eval::TraversalResult EvaluateTrackedPath(const firewall::eval::Connection& connection,
                                                      firewall::eval::PacketKind kind);
  /// The same; of what the peer sends, unknown where it is lost on the device that routing picks, and would be let in
  /// on another one that the peer's packets may come in on. The connection is up: then that is the one.
  firewall::eval::TraversalResult EvaluateTrackedFromPeer(const firewall::eval::Connection& connection,
                                                          firewall::eval::PacketKind kind);
  /// The same for the ACK by which this end answers the peer's FIN.
  firewall::eval::TraversalResult TrackedLastAck(const firewall::eval::Connection& connection);
  /// What becomes of the FIN of a peer that closes after this end; of one that closes first it is kPeerFin.
  firewall::eval::TraversalResult EvaluatePeersLaterFin(const firewall::eval::Connection& connection);
  /// What becomes of the ACK by which this end answers the peer's FIN, without an entry.
  firewall::eval::TraversalResult LastAck(const firewall::eval::Connection& connection);
  /// What becomes of the RST by which a peer answers the FIN that has no such connection any more.
  firewall::eval::TraversalResult EvaluatePeersReset(const firewall::eval::Connection& connection);
  /// What becomes of the RST by which this host answers the ACK of its FIN, of `kind`, where `ack` says that it is
  /// rejected; nothing where it sends none.
  std::optional<firewall::eval::TraversalResult> ResetOfPeer(const firewall::eval::Connection& connection,
                                                             firewall::eval::PacketKind kind,
                                                             const firewall::eval::TraversalResult& ack);
  /// Whether nat translated the connection when it was opened. `socket`: whose connection it is, for more facts where
  /// the nat chains alone do not tell; null for none.
  firewall::eval::NatEffect TranslationOf(const firewall::eval::Connection& connection,
                                          const ConnectionHistory* history, const ListedSocket* socket = nullptr);

  /// Why IPVS, and not what rules and routing say, may decide how the connection closes; "" where it does not.
  std::string CarriedByIpvs(const firewall::eval::Connection& connection);
  /// Whether there are programs that are no rules and may drop packets of the family.
  bool HasPrograms(IpFamily family) { return !ProgramsOf(family).empty(); }

  /// What becomes of a packet of the representative flow, which no narrower rule singles out.
  firewall::eval::TraversalResult General(IpFamily family, firewall::eval::PathKind path,
                                          firewall::eval::PacketKind kind);
  /// The same with an entry.
  firewall::eval::TraversalResult RepresentativeTracked(IpFamily family, firewall::eval::PacketKind kind);

  /// Whether what holds for every connection of the family tells the fate of a close without an entry, for one that is
  /// not over loopback, of a socket in that control group (nothing: not known).
  bool AllFareAlike(IpFamily family, std::optional<std::uint64_t> control_group, bool peer_has_closed);
  /// Whether those over loopback fare the same.
  bool FareAlikeOverLoopback(IpFamily family, bool peer_has_closed);
  /// Whether every connection of the family on that path closes cleanly while its entry is there, which translates it
  /// or not.
  bool AllTrackedAreClean(IpFamily family, firewall::eval::PathKind path_kind, bool peer_has_closed, bool translated);

  /// Who hears the ends of packets of connections that stand for a class, and where to note which rules packets have
  /// come past; null: nobody. Neither is owned.
  void Observe(firewall::eval::EndsObserver* observer, firewall::eval::ChainEvaluator::RulesReached* reached) {
    evaluator_.Observe(observer);
    evaluator_.NoteReached(reached);
  }
  /// From now on paths are evaluated as with those rules; null: as the rules are. Outcomes must not be asked for
  /// meanwhile.
  void Plan(const firewall::eval::PlannedAccepts* planned) { evaluator_.Plan(planned); }
  /// While it lives, what else than rules may drop packets counts for nothing.
  class RulesAlone {
   public:
    RulesAlone(PacketEvaluator& evaluator, bool applies) : evaluator_(evaluator), before_(evaluator.by_rules_alone_) {
      evaluator.by_rules_alone_ = before_ || applies;
    }
    ~RulesAlone() { evaluator_.by_rules_alone_ = before_; }
    RulesAlone(const RulesAlone&) = delete;
    RulesAlone& operator=(const RulesAlone&) = delete;

   private:
    PacketEvaluator& evaluator_;
    const bool before_;
  };
  /// What a result's id names. Valid until facts change.
  firewall::eval::RulePlace FindRule(const firewall::RuleId& id) { return evaluator_.FindRule(id); }

 private:
  // What a result that holds for every connection of a family is of.
  struct Question {
    IpFamily family = IpFamily::kIpv4;
    firewall::eval::PathKind path_kind = firewall::eval::PathKind::kLocal;
    firewall::eval::PacketKind kind = firewall::eval::PacketKind::kFin;
    bool tracked = false;  ///< kData: the ACK of the peer's FIN
    bool by_rules_alone = false;
    bool later = false;       ///< kPeerFin: of a peer that closes after this end
    bool translated = false;  ///< by nat, to whatever ends; `tracked`
    auto operator<=>(const Question&) const = default;
  };
  // That result, and all that it hung on.
  struct ForFamily {
    std::optional<firewall::eval::TraversalResult> result;  // nothing: it depends on the connection
    firewall::facts::FactKinds hung_on = 0;
    std::uint32_t facts_as_of = 0;
    bool complete = false;
    std::uint64_t puts = 0;
  };

  /// The devices that the peer's packets may come in on beside the one that routing picks.
  std::vector<firewall::eval::Interface> OtherDevices(const firewall::eval::Connection& connection) const;

  using Evaluation = std::function<firewall::eval::TraversalResult(const firewall::eval::PacketPathSettings&)>;
  /// What becomes of a packet, for either value of tcp_loose where that could not be read.
  firewall::eval::TraversalResult EvaluateWithSettings(IpFamily family, const Evaluation& evaluate);
  firewall::eval::PacketPathSettings SettingsFor(IpFamily family, bool tcp_loose);
  firewall::eval::TraversalResult EvaluateOnRoutedDevice(const firewall::eval::Connection& connection,
                                                         firewall::eval::PacketKind kind);
  /// `result` where every device that the peer's packets may come in on leads to it, else unknown.
  firewall::eval::TraversalResult OnWhicheverDevice(const firewall::eval::Connection& connection,
                                                    firewall::eval::PacketKind kind,
                                                    firewall::eval::TraversalResult result);
  /// What conntrack itself does to packets that have no entry where its table is full.
  firewall::eval::TraversalResult UnlessTableIsFull(firewall::eval::TraversalResult result, IpFamily family) const;
  /// Unknown where `result` lets a packet pass rules that could not all be read.
  firewall::eval::TraversalResult UnlessUnavailable(firewall::eval::TraversalResult result, IpFamily family) const;
  firewall::eval::TraversalResult Evaluate(const firewall::eval::Connection& connection, const Question& question);
  const std::optional<firewall::eval::TraversalResult>& ForAll(const Question& question);
  /// The programs that are no rules and count: none where rules alone do.
  std::span<const firewall::facts::ForeignProgram> ProgramsOf(IpFamily family);
  /// Whether ForAll() speaks for it, where it says anything.
  bool MayFareAsAll(const firewall::eval::Connection& connection);
  /// Whether what holds for all connections may not hold for one, for the control group of its socket.
  bool HangsOnGroups(IpFamily family, std::optional<std::uint64_t> control_group);
  /// For every connection of the family that is not over loopback, or nothing where it depends on the connection.
  const std::optional<firewall::eval::TraversalResult>& ForAll(IpFamily family, firewall::eval::PacketKind kind) {
    return ForAll({family, firewall::eval::PathKind::kLocal, kind, false, by_rules_alone_});
  }
  const std::optional<firewall::eval::TraversalResult>& ForAllLaterFins(IpFamily family) {
    return ForAll(
        {family, firewall::eval::PathKind::kLocal, firewall::eval::PacketKind::kPeerFin, false, by_rules_alone_, true});
  }
  /// EvaluatePeersLaterFin() of this connection, whatever holds for all.
  firewall::eval::TraversalResult EvaluateLaterFinPath(const firewall::eval::Connection& connection);

  std::shared_ptr<const firewall::Ruleset> ruleset_;
  EvaluationSettings settings_;
  std::shared_ptr<firewall::facts::FactStore> store_;
  firewall::facts::FactQuery facts_;
  firewall::eval::ChainEvaluator evaluator_;
  TranslationHistory translation_;
  std::map<Question, ForFamily> for_all_;
  bool by_rules_alone_ = false;
};

}  // namespace finwait::diagnosis
