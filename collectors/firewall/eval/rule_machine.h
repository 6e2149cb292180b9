#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collectors/firewall/eval/expression_traits.h"
#include "collectors/firewall/eval/packet_names.h"
#include "collectors/firewall/eval/set_lookup.h"
#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::eval {

/// Where rules get what they refer to from: sets, extensions, and the facts that extensions need.
class SetSource : public xt::FactLookup {
 public:
  /// The set of that name in `table`; null when nobody has it.
  virtual const Set* GetSet(const Table& table, const std::string& name) = 0;
  /// Asks the kernel for the element that `key` hits now. False when it cannot be asked; `*element` is null when
  /// nothing is hit, and stays valid as long as this source.
  virtual bool AskForElement(const Table& table, const Set& set, const Value& key, const SetElement** element) = 0;
  /// The extensions of x_tables that rules may use.
  virtual const xt::Registry& Extensions() const { return xt::BuiltIn(); }
};

/// One way a rule can end for a packet.
struct RuleResult {
  enum class Kind {
    kContinue,  ///< the next rule, whether this one matched or not
    kAccept,
    kDrop,
    kReject,
    kJump,
    kGoto,
    kReturn,
    kQueue,    ///< a program in user space decides
    kUnknown,  ///< `because`: nobody can say what happens to the packet
  };
  Kind kind = Kind::kContinue;
  Packet packet;
  std::string_view chain;  ///< kJump, kGoto; lives as long as the ruleset
  std::string because;
  /// Bit i: expression i of the rule is a counter and counted this packet.
  std::uint64_t counters_passed = 0;
  /// The element of a verdict map that gave the verdict, if it was one.
  const SetElement* element = nullptr;
};

/// Runs one rule: nftables' register machine over abstract bytes, and x_tables' matches and target as part of it.
class RuleMachine {
 public:
  RuleMachine(const Table& table, const Chain& chain, const Rule& rule, const HookContext& context, SetSource& sets)
      : table_(table), chain_(chain), rule_(rule), context_(context), sets_(sets) {}

  /// Appends every way the rule can end for `packet` to `outcomes`. Returns how many expressions it executed.
  std::size_t Run(Packet packet, std::vector<RuleResult>& outcomes);

 private:
  // The machine in the middle of a rule.
  struct Machine {
    Packet packet;
    std::array<AbstractByte, Register::kAreaSize> registers;
    std::size_t next = 0;  // expression
    std::uint64_t counters_passed = 0;
  };
  enum class Step {
    kNext,  // on to the next expression
    kDone,  // this machine's result is reported
  };

  Step Execute(const Expression& expression);
  // Loading and computing (rule_machine_loads.cc).
  Step operator()(const Immediate& immediate);
  Step operator()(const PayloadLoad& load);
  Step operator()(const MetaLoad& load);
  Step operator()(const CtLoad& load);
  Step operator()(const Bitwise& bitwise);
  Step operator()(const ByteOrder& order);
  Step operator()(const NumberGenerator& generator);
  Step operator()(const Hash& hash);
  Step operator()(const Fib& fib);
  Step operator()(const RouteLoad& load);
  Step operator()(const ExtensionHeader& header);
  Step operator()(const SocketLoad& load);
  Step operator()(const OsFingerprint& fingerprint);
  Step operator()(const TunnelLoad& load);
  Step operator()(const XfrmLoad& load);
  Step operator()(const Inner& inner);
  // Comparing (rule_machine.cc).
  Step operator()(const Compare& compare);
  Step operator()(const Range& range);
  Step operator()(const Lookup& lookup);
  Step operator()(const DynamicSet& dynamic);
  Step operator()(const Limit& limit);
  Step operator()(const Quota& quota);
  Step operator()(const ConnectionLimit& limit);
  Step operator()(const std::shared_ptr<const IpHeaderMatch>& match);
  Step operator()(const XtMatch& match);
  // Acting (rule_machine_statements.cc).
  Step operator()(const VerdictStatement& statement);
  Step operator()(const PayloadWrite& write);
  Step operator()(const MetaSet& set);
  Step operator()(const CtSet& set);
  Step operator()(const Counter& counter);
  Step operator()(const Log& log);
  Step operator()(const Last& last);
  Step operator()(const Notrack& notrack);
  Step operator()(const Reject& reject);
  Step operator()(const Queue& queue);
  Step operator()(const Nat& nat);
  Step operator()(const Masquerade& masquerade);
  Step operator()(const Redirect& redirect);
  Step operator()(const Tproxy& tproxy);
  Step operator()(const Synproxy& synproxy);
  Step operator()(const Duplicate& duplicate);
  Step operator()(const Forward& forward);
  Step operator()(const FlowOffload& offload);
  Step operator()(const ObjectReference& reference);
  Step operator()(const ObjectMapReference& reference);
  Step operator()(const XtTarget& target);
  Step operator()(const UnknownExpression& expression);

  /// Goes on if `condition` holds; else the rule does not match. Both, where nobody can tell.
  Step Test(const Condition& condition);
  Step Test(Tristate truth, std::string_view because) { return Test(Condition::Of(truth, because)); }
  Step TestAll(const Conditions& conditions);
  Step Miss() { return Tell(RuleResult::Kind::kContinue); }
  Step Tell(RuleResult::Kind kind, std::string_view chain = {}, std::string because = {},
            const SetElement* element = nullptr);
  Step Apply(const Verdict& verdict, const SetElement* element = nullptr);
  void Uncertainty(Packet& packet, std::string because) const;
  /// What a lookup in a set finds now.
  std::vector<LookupBranch> LookUpNow(const std::string& set, Register source, std::string* because);
  /// The same before anything is asked that an element carries (LookupBranch::matches).
  std::vector<LookupBranch> Held(const Set& set, AbstractBytes key, std::string* because);
  /// What the newest of this packet's own changes says of a key.
  struct OwnChange {
    Tristate there = Tristate::kUnknown;        ///< kUnknown: whether the change is of this key cannot be told
    const packet::SetChange* change = nullptr;  ///< null where that is kUnknown
  };
  /// Nothing: no change is of that key.
  std::optional<OwnChange> FindOwnChange(const std::string& set, AbstractBytes key) const;
  /// Whether what an element carries lets it match.
  Tristate LetMatch(const std::vector<std::string>& carried, const std::optional<ConnectionLimit>& limit);
  Tristate IsWithin(const ConnectionLimit& limit);
  facts::SetKey KeyOf(const std::string& set) const { return {table_.family, table_.name, set}; }
  /// A program in user space decides; or nobody listens, and the kernel does.
  Step ToQueue(const xt::QueueUse& queue);
  Tristate HasRoom(const std::string& set);
  /// What an element is once the packet has been put into a set; `*room`: whether it could be.
  packet::SetChange PutInto(const Set& set, const DynamicSet& dynamic, Tristate* room);
  Step LoadOfEntry(const CtLoad& load);
  /// The zone that is in a register; nothing where it is not known.
  std::optional<std::uint16_t> ZoneIn(Register source) const;
  Step LoadControlGroup(const SocketLoad& load);
  /// Ends the base chain with the packet translated: a native statement or an xt target asks for it.
  Step Translate(const Translation& translation);
  NewValue RangeOf(const std::optional<Register>& from, const std::optional<Register>& to, std::size_t size) const;
  /// For expressions of which Traits say that nobody can predict whether they match.
  template <typename T>
  Step TestUnknowable(const T& expression) {
    return Test(Tristate::kUnknown, TraitsOf(expression).unknowable_because);
  }
  Step ActAsObject(std::uint32_t type);

  /// `size` bytes from a register; what lies beyond the area is unknown.
  std::vector<AbstractByte> Read(Register source, std::size_t size) const;
  void Store(Register destination, AbstractBytes bytes);
  void StoreUnknown(Register destination, std::size_t size);
  /// A number in the host's byte order.
  void StoreNumber(Register destination, AbstractBytes most_significant_first);
  void StoreNumber(Register destination, std::uint64_t number, std::size_t size);
  void StoreTime(const MetaLoad& load);
  Step StoreChance(Register destination, std::uint32_t modulus, std::uint32_t offset);
  /// Fills `bytes` from a header; kNo: the packet is too short, kUnknown: it may be.
  Tristate HeaderBytes(std::uint32_t base, std::size_t offset, std::span<AbstractByte> bytes) const;
  Tristate LinkHeaderBytes(std::size_t offset, std::span<AbstractByte> bytes) const;

  const Table& table_;
  const Chain& chain_;
  const Rule& rule_;
  const HookContext& context_;
  SetSource& sets_;
  Machine* at_ = nullptr;         // the machine that executes now
  std::vector<Machine> pending_;  // machines that a split left for later
  std::vector<RuleResult>* outcomes_ = nullptr;
};

}  // namespace finwait::firewall::eval
