#pragma once

#include <string>
#include <vector>

#include "collectors/firewall/eval/packet_names.h"
#include "collectors/firewall/model/ruleset.h"

namespace finwait::firewall::eval {

/// One way a lookup can end.
struct LookupBranch {
  enum class Kind {
    kMissing,  ///< no element
    kFound,    ///< `element`
    kSome,     ///< an element, which one cannot be told
  };
  Kind kind = Kind::kMissing;
  const SetElement* element = nullptr;
  Packet packet;  ///< narrowed down to the packets that end this way
  /// What a map gives instead of the element's own data: a rule has put the element there for this packet.
  std::vector<AbstractByte> data = {};
  /// Whether what the element carries lets it match. LookUp() says kYes, and has a branch of its own for what does not.
  Tristate matches = Tristate::kYes;
};

/// All the ways a lookup of `key` (as it lies in the registers, key_length bytes) in `set` can end for `packet`; at
/// least one, at most kLookupBranches. `*because`: what it hangs on, where there is more than one.
std::vector<LookupBranch> LookUp(const Set& set, AbstractBytes key, const Packet& packet, std::string* because);
inline constexpr std::size_t kLookupBranches = 32;

/// The element that a key without anything unknown hits, among those that the model holds; null where none does.
const SetElement* FindElement(const Set& set, const Value& key);

/// Whether a found element may still not match (a limit inside it), or may be gone by now.
bool IsUncertain(const SetElement& element);

/// Whether a found element may still not match.
bool HasLimit(const SetElement& element);

/// Whether an element may be in the set that the model does not hold.
bool MayHoldMore(const Set& set);

}  // namespace finwait::firewall::eval
