#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "collectors/firewall/model/ruleset.h"

/// nftables' register code read back into what was written: comparisons of something with a value or a set, and
/// statements with their arguments. Only for printing; the evaluator runs the expressions themselves.
namespace finwait::firewall::print {

/// What a register holds: what was loaded into it (a load, or an Immediate), and what was done to it since.
struct Operand {
  const Expression* load = nullptr;  ///< null: written by something that this reader does not follow
  const Bitwise* bitwise = nullptr;  ///< null: used as loaded
  bool turned = false;               ///< its byte order was changed
  bool changed = false;              ///< also by something else than that and one bitwise
};

struct Comparison {
  enum class Relation {
    kEqual,
    kNotEqual,
    kLess,
    kLessOrEqual,
    kGreater,
    kGreaterOrEqual,
    kInRange,
    kNotInRange,
    kInSet,
    kNotInSet,
    kVerdictMap
  };
  Relation relation = Relation::kEqual;
  std::vector<Operand> operands;  ///< more than one: a concatenation
  Value value;                    ///< or a range's start
  Value to;                       ///< a range's end
  std::string set;
};

struct Statement {
  const Expression* expression = nullptr;
  /// What the registers that it reads hold: for MetaSet, CtSet and PayloadWrite one, for DynamicSet key and data, for
  /// Nat address and port. Absent where it reads none.
  std::optional<Operand> first;
  std::optional<Operand> second;
};

using Step = std::variant<Comparison, Statement>;

/// The steps of a rule, in order. Points into `rule`.
std::vector<Step> ReadSteps(const Table& table, const Rule& rule);

}  // namespace finwait::firewall::print
