#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collectors/firewall/packet/abstract_value.h"
#include "collectors/firewall/packet/packet.h"
#include "collectors/firewall/packet/tristate.h"

namespace finwait::firewall::packet {

/// How a packet passes a condition.
enum class Decision {
  kNo,
  kYes,
  kBoth,  ///< nobody can tell: the packet was split into one that does and one that does not
};

/// What a rule asks of a packet: all parts hold, or, inverted, not all of them do. Parts that hang on a field of the
/// packet keep the set of values for which they hold.
class Condition {
 public:
  /// A part that hangs on a field of the packet.
  struct Part {
    Field field = Field::kNone;
    IntervalSet values;
    bool describable = true;  ///< false: it holds for some values of the field, too many ranges to say which
  };

  /// Holds.
  Condition() = default;
  /// Holds, does not, or hangs on `because`, which nobody can know.
  static Condition Of(Tristate truth, std::string_view because = {});
  static Condition Of(bool truth) { return Of(TristateOf(truth)); }
  /// (actual & mask) == expected over the bytes of `expected`; an empty mask covers all. No match where `actual` is
  /// shorter.
  static Condition Equal(AbstractBytes actual, std::span<const std::byte> expected, IpFamily family,
                         std::span<const std::byte> mask = {});
  /// from <= actual <= to as memcmp orders them.
  static Condition Between(AbstractBytes actual, std::span<const std::byte> from, std::span<const std::byte> to,
                           IpFamily family);
  /// The number that `actual` makes, most significant byte first, is one of `values`.
  static Condition In(AbstractBytes actual, const IntervalSet& values, IpFamily family);
  /// At least one of two conditions, each of one part at most (as In() makes them).
  static Condition Either(const Condition& a, const Condition& b, IpFamily family);

  /// What must hold as well. `other` must not be inverted.
  Condition& And(const Condition& other);
  Condition& And(Tristate truth, std::string_view because = {});
  Condition& Invert(bool invert = true) {
    inverted_ = inverted_ != invert;
    return *this;
  }

  /// What hangs on no field: kNo when nothing can make it hold.
  Tristate Fixed() const { return fixed_; }
  const std::vector<Part>& Parts() const { return parts_; }

 private:
  friend Decision Decide(const Condition& condition, Packet& packet, Packet* missed, std::string* because);

  void Require(Part part);

  Tristate fixed_ = Tristate::kYes;
  std::string because_;
  std::vector<Part> parts_;  ///< at most one for each field
  bool inverted_ = false;
};

/// All of them must hold, in order.
using Conditions = std::vector<Condition>;

/// Decides `condition` for `packet`. kBoth: `packet` becomes the one that matches, `*missed` the one that does not, and
/// `*because` says what it hangs on.
///
/// A general packet is never split by a field that tells connections apart. Where a condition holds for some values of
/// such a field and not for others, the representative connection goes the way of the larger part of the values it may
/// still have (the way that does not match, if both are equal), and from then on has only those. So a rule for an
/// address, a port, a list or an interface does not match it, the negation of such a rule does, `--sport 1024:65535`
/// and `0.0.0.0/0` match it, and there is always a real connection that passes all that it passed.
Decision Decide(const Condition& condition, Packet& packet, Packet* missed, std::string* because);

}  // namespace finwait::firewall::packet
