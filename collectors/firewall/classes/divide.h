#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/firewall/classes/observed_ends.h"
#include "collectors/firewall/packet/connection_class.h"

/// The answer for every connection at once. The engine for one connection is run for whole classes; where its answer
/// hangs on what tells the connections of a class apart, the class is cut there, and each part is run again.
namespace finwait::firewall::classes {

/// What became of a class, as whoever evaluates it numbers answers: the same answer, the same number.
struct ClassAnswer {
  std::size_t answer = 0;
  bool certain = false;
};

/// Evaluates one class, while `ends` hears what its packets come to.
using EvaluateClass = std::function<ClassAnswer(const ConnectionClass& of, ObservedEnds& ends)>;

/// The answer of a class that was not evaluated, as the time was up.
inline constexpr std::size_t kNotEvaluated = static_cast<std::size_t>(-1);

/// A part of the space in which all connections have one answer.
struct Leaf {
  ConnectionClass of;
  std::size_t answer = 0;
};

struct Limits {
  std::size_t classes = 2048;  ///< before neighbours are merged
  Deadline deadline = Deadline::After(std::chrono::seconds(10));
};

struct Division {
  std::vector<Leaf> leaves;
  /// What was not told apart, as a sentence; empty: nothing.
  std::string incomplete;
  /// Some classes whose answer is uncertain hold connections whose answer is not, and no way to tell these apart was
  /// found.
  bool undivided = false;
};

/// Divides `space` into classes of one answer each: they cover it, do not overlap, and each certain answer holds for
/// all connections of its class. Beyond the limits classes stay whole, with the answer for them all.
Division Divide(std::vector<ConnectionClass> space, const EvaluateClass& evaluate, const Limits& limits = {});

/// Joins neighbours of one answer until there are none.
void Merge(std::vector<Leaf>& leaves);

}  // namespace finwait::firewall::classes
