#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collectors/firewall/eval/chain_index.h"
#include "collectors/firewall/eval/packet_names.h"
#include "collectors/firewall/eval/planned_accepts.h"
#include "collectors/firewall/eval/rule_machine.h"
#include "collectors/firewall/facts/fact_query.h"
#include "collectors/firewall/model/rule_id.h"
#include "collectors/firewall/model/ruleset.h"

namespace finwait::firewall::eval {

/// One way a base chain can end for a packet.
struct ChainResult {
  enum class Kind {
    kAccept,
    kDrop,
    kReject,   ///< dropped, and the sender told
    kQueue,    ///< a program in user space drops it, or lets it go on to the next base chain
    kUnknown,  ///< `because`: nobody can say
  };
  Kind kind = Kind::kAccept;
  Packet packet;  ///< as it leaves the chain
  const Table* table = nullptr;
  const Chain* chain = nullptr;
  const Rule* rule = nullptr;  ///< null: the base chain's policy, or nothing in particular (kUnknown)
  std::string because;
};

/// Where a rule stands now; null where it is gone, or not known.
struct RulePlace {
  const Table* table = nullptr;
  const Chain* chain = nullptr;
  const Rule* rule = nullptr;  ///< null for a policy
};

struct TraversalEnd;

/// Hears every way that packets of a connection can end, of connections that stand for a whole class.
class EndsObserver {
 public:
  virtual ~EndsObserver() = default;
  virtual void OnEnds(const Connection& connection, PacketKind kind, const std::vector<TraversalEnd>& ends) = 0;
};

/// How much work one question may cost. Beyond it the answer is kUnknown.
struct EvaluationLimits {
  std::size_t expressions = 2'000'000;
  std::size_t packets = 64;   ///< that a rule may have to be run for at the same place, after splits
  std::size_t results = 256;  ///< of one base chain, joined: each is a packet that remembers what told it from others
};

/// Runs base chains over abstract packets, with every way that cannot be ruled out. Bounded, whatever the ruleset.
/// `ruleset` must outlive it and everything it returns. Not thread-safe.
class ChainEvaluator : public SetSource {
 public:
  /// `facts` holds what the ruleset leaves out, and notes what it does not hold; null: what is left out is unknown.
  explicit ChainEvaluator(const Ruleset& ruleset, facts::FactQuery* facts = nullptr, EvaluationLimits limits = {})
      : ruleset_(ruleset), facts_(facts), limits_(limits), budget_(limits.expressions) {}

  const Ruleset& GetRuleset() const { return ruleset_; }
  /// May be null.
  facts::FactQuery* Facts() const { return facts_; }
  /// What a ruleset with those rules would do is evaluated from now on; null: as it is. Must outlive its use.
  void Plan(const PlannedAccepts* planned) { planned_ = planned; }
  /// Starts a new question with the whole allowance.
  void ResetBudget();

  /// Who hears the ends of the traversals from now on; null: nobody. Not owned.
  void Observe(EndsObserver* observer) { observer_ = observer; }
  EndsObserver* Observer() const { return observer_; }
  /// Where to note how many rules of each chain packets have come past, from now on; null: nowhere. Not owned.
  using RulesReached = std::map<const Chain*, std::size_t>;
  void NoteReached(RulesReached* reached) { reached_ = reached; }

  /// Runs `base` for `packet` at the hook of `context`. At least one result.
  std::vector<ChainResult> RunBaseChain(const Table& table, const Chain& base, const HookContext& context,
                                        Packet packet);
  /// Runs a chain as a jump to it would; a packet that comes back from it ends as kAccept without a rule.
  std::vector<ChainResult> RunJump(const Table& table, const std::string& chain, const HookContext& context,
                                   Packet packet);

  /// Whether a rule of the ruleset writes addresses or ports into packets by itself, without conntrack (nftables'
  /// "ip daddr set"). Found out once.
  bool RewritesEnds();

  /// Whether a rule of the ruleset adds to a set, or takes from it, as packets pass. Found out once.
  bool ChangesSets();

  /// The chain of that name with its rules, from the facts where the ruleset leaves them out; null: nobody has it.
  const Chain* GetChain(const Table& table, const std::string& name);

  /// What an id names, among the ruleset and the facts. Valid until facts change.
  RulePlace FindRule(const RuleId& id);

  const Set* GetSet(const Table& table, const std::string& name) override;
  bool AskForElement(const Table& table, const Set& set, const Value& key, const SetElement** element) override;
  Tristate HasQuota(const std::string& accounting_object) override;
  const facts::Ipset* FindIpset(std::uint16_t index) override;
  Tristate IsInIpset(const facts::IpsetElementKey& element) override;
  const facts::IpsetContents* FindIpsetContents(const std::string& set) override;
  std::span<const XtMatch* const> MatchesOf(std::string_view name) override;
  const facts::Fact* Ask(const facts::Need& need) override { return facts_ != nullptr ? facts_->Find(need) : nullptr; }

 private:
  /// Runs the rules; results go to `results`, packets that come back to the caller (by the chain's end or by return)
  /// are returned.
  std::vector<Packet> RunChain(const Table& table, const Chain& chain, const HookContext& context,
                               std::vector<Packet> packets, std::size_t depth, std::vector<ChainResult>& results);
  struct ChainRun;
  /// Goes where a rule has sent a packet.
  void Follow(ChainRun& run, const Rule& rule, RuleResult&& outcome);
  std::vector<Packet> RunTarget(const ChainRun& run, const Rule& rule, std::string_view target, Packet packet);
  /// What becomes of the packets that have come past all rules.
  std::vector<Packet> EndChain(ChainRun& run, std::vector<Packet> packets);
  /// Adds a packet to those that `rule` (null: none) has sent to `place`.
  void Keep(ChainRun& run, const Rule* rule, std::vector<Packet>& place, Packet packet) const;
  /// Ends a packet that `rule` (null: the policy) drops or rejects, unless a planned rule lets it pass before.
  void Stop(ChainResult::Kind kind, Packet packet, const Table& table, const Chain& chain, const Rule* rule,
            std::vector<ChainResult>& results) const;
  /// The position of the first rule, from `from` on, that one of `packets` may match.
  std::size_t NextRule(const Chain& chain, std::size_t from, const std::vector<Packet>& packets);
  /// Adds `packet` unless it is there already. False when there are too many.
  bool AddPacket(std::vector<Packet>& packets, Packet packet) const;
  /// Joins results of a class's packet, which keeps all ranges, until so few are left that more are worth waiting for.
  bool MakeRoom(std::vector<ChainResult>& results) const;

  const Ruleset& ruleset_;
  facts::FactQuery* facts_;
  EvaluationLimits limits_;
  std::size_t budget_;
  const PlannedAccepts* planned_ = nullptr;
  std::map<const Chain*, const ChainIndex> indexes_;  // of long chains, made when first run
  /// Whether any expression of the ruleset's rules is so.
  bool HasExpression(const std::function<bool(const Expression&)>& is_so) const;

  std::optional<bool> rewrites_ends_;
  std::optional<bool> changes_sets_;
  std::map<std::string, std::vector<const XtMatch*>, std::less<>> matches_;  // by name, found out when first asked for
  EndsObserver* observer_ = nullptr;
  RulesReached* reached_ = nullptr;
  std::uint64_t evictions_seen_ = 0;  // of the facts: then an index may be of a chain that is gone
};

}  // namespace finwait::firewall::eval
