#include "collectors/firewall/print/rule_steps.h"

#include <linux/netfilter/nf_tables.h>

#include <map>
#include <utility>

#include "collectors/base/one_of.h"

namespace finwait::firewall::print {
namespace {

Comparison::Relation RelationOf(std::uint32_t operation) {
  switch (operation) {
    case NFT_CMP_NEQ:
      return Comparison::Relation::kNotEqual;
    case NFT_CMP_LT:
      return Comparison::Relation::kLess;
    case NFT_CMP_LTE:
      return Comparison::Relation::kLessOrEqual;
    case NFT_CMP_GT:
      return Comparison::Relation::kGreater;
    case NFT_CMP_GTE:
      return Comparison::Relation::kGreaterOrEqual;
    default:
      return Comparison::Relation::kEqual;
  }
}

// Bytes that an operand takes in the register area, as far as the expression itself tells.
std::size_t WidthOf(const Operand& operand) {
  const auto* payload = operand.load != nullptr ? std::get_if<PayloadLoad>(operand.load) : nullptr;
  if (payload != nullptr) {
    return payload->length;
  }
  const auto* meta = operand.load != nullptr ? std::get_if<MetaLoad>(operand.load) : nullptr;
  const bool name = meta != nullptr && (meta->key == NFT_META_IIFNAME || meta->key == NFT_META_OIFNAME);
  return name ? 16 : 4;
}

// Whatever writes a register and needs no more care than that.
template <typename T>
concept IsLoad = requires(const T& load) {
  load.destination.offset;
};

// Takes nothing from a register, as far as its text shows, and writes none.
template <typename T>
concept IsBareStatement =
    OneOf<T, VerdictStatement, Limit, Quota, ConnectionLimit, Counter, Log, Last, Notrack, Reject, Queue, Masquerade,
          Tproxy, Synproxy, Duplicate, Forward, FlowOffload, ObjectReference, ObjectMapReference,
          std::shared_ptr<const IpHeaderMatch>, XtMatch, XtTarget, Inner, UnknownExpression>;

class Reader {
 public:
  explicit Reader(const Table& table) : table_(table) {}

  std::vector<Step> Read(const Rule& rule) {
    for (const Expression& expression : rule.expressions) {
      std::visit([&](const auto& decoded) { Add(expression, decoded); }, expression);
    }
    return std::move(steps_);
  }

 private:
  void Add(const Expression& expression, const IsLoad auto& load) { Write(load.destination, Operand{&expression}); }

  void Add(const Expression&, const Bitwise& bitwise) {
    Operand operand = At(bitwise.source);
    operand.changed = operand.changed || operand.bitwise != nullptr || bitwise.operation != NFT_BITWISE_BOOL;
    operand.bitwise = &bitwise;
    Write(bitwise.destination, operand);
  }

  void Add(const Expression&, const ByteOrder& order) {
    Operand operand = At(order.source);
    operand.turned = !operand.turned;
    Write(order.destination, operand);
  }

  void Add(const Expression& expression, const ExtensionHeader& header) {
    if (header.destination) {
      Write(*header.destination, Operand{&expression});
    } else {
      AddStatement(expression, At(header.source));
    }
  }

  void Add(const Expression&, const Compare& compare) {
    Comparison comparison;
    comparison.relation = RelationOf(compare.operation);
    comparison.operands = {At(compare.source)};
    comparison.value = compare.value;
    if (comparison.relation == Comparison::Relation::kLessOrEqual && !steps_.empty()) {
      // nft writes a range as two comparisons of one register.
      auto* before = std::get_if<Comparison>(&steps_.back());
      if (before != nullptr && before->relation == Comparison::Relation::kGreaterOrEqual &&
          before->operands.front().load == comparison.operands.front().load) {
        before->relation = Comparison::Relation::kInRange;
        before->to = std::move(comparison.value);
        return;
      }
    }
    steps_.emplace_back(std::move(comparison));
  }

  void Add(const Expression&, const Range& range) {
    Comparison comparison;
    comparison.relation =
        range.operation == NFT_RANGE_NEQ ? Comparison::Relation::kNotInRange : Comparison::Relation::kInRange;
    comparison.operands = {At(range.source)};
    comparison.value = range.from;
    comparison.to = range.to;
    steps_.emplace_back(std::move(comparison));
  }

  void Add(const Expression& expression, const Lookup& lookup) {
    if (lookup.destination) {
      Write(*lookup.destination, Operand{&expression});
      return;
    }
    Comparison comparison;
    comparison.relation = lookup.verdict    ? Comparison::Relation::kVerdictMap
                          : lookup.inverted ? Comparison::Relation::kNotInSet
                                            : Comparison::Relation::kInSet;
    comparison.set = lookup.set;
    comparison.operands = KeyOf(lookup);
    steps_.emplace_back(std::move(comparison));
  }

  // The fields of a concatenation lie behind each other. Where the set was not read, its key ends before the first
  // register that was not loaded for this very look-up.
  std::vector<Operand> KeyOf(const Lookup& lookup) const {
    const Set* set = FindSet(table_, lookup.set);
    std::vector<Operand> operands;
    std::size_t offset = lookup.source.offset;
    const auto more = [&] {
      if (set != nullptr) {
        return offset < lookup.source.offset + set->key_length;
      }
      const auto found = registers_.find(static_cast<std::uint8_t>(offset));
      return operands.empty() || (found != registers_.end() && found->second.loaded_before == steps_.size());
    };
    while (more()) {
      operands.push_back(At(Register{static_cast<std::uint8_t>(offset)}));
      offset += (WidthOf(operands.back()) + 3) / 4 * 4;
    }
    return operands;
  }

  void Add(const Expression& expression, const MetaSet& set) { AddStatement(expression, At(set.source)); }
  void Add(const Expression& expression, const CtSet& set) { AddStatement(expression, At(set.source)); }
  void Add(const Expression& expression, const PayloadWrite& write) { AddStatement(expression, At(write.source)); }
  void Add(const Expression& expression, const DynamicSet& set) { AddStatement(expression, At(set.key), At(set.data)); }
  void Add(const Expression& expression, const Nat& nat) {
    AddStatement(expression, At(nat.address_min), At(nat.port_min));
  }
  void Add(const Expression& expression, const Redirect& redirect) {
    AddStatement(expression, {}, At(redirect.port_min));
  }

  void Add(const Expression& expression, const IsBareStatement auto&) { AddStatement(expression); }

  void AddStatement(const Expression& expression, std::optional<Operand> first = {},
                    std::optional<Operand> second = {}) {
    steps_.emplace_back(Statement{&expression, first, second});
  }

  void Write(Register place, const Operand& operand) { registers_[place.offset] = {operand, steps_.size()}; }

  Operand At(Register place) const {
    const auto found = registers_.find(place.offset);
    return found == registers_.end() ? Operand{} : found->second.operand;
  }
  std::optional<Operand> At(const std::optional<Register>& place) const {
    return place ? std::optional(At(*place)) : std::nullopt;
  }

  struct Loaded {
    Operand operand;
    std::size_t loaded_before = 0;  ///< the step
  };

  const Table& table_;
  std::vector<Step> steps_;
  std::map<std::uint8_t, Loaded> registers_;
};

}  // namespace

std::vector<Step> ReadSteps(const Table& table, const Rule& rule) { return Reader(table).Read(rule); }

}  // namespace finwait::firewall::print
