#include "collectors/firewall/packet/condition.h"

#include <algorithm>
#include <array>
#include <utility>

namespace finwait::firewall::packet {
namespace {

constexpr std::string_view kUnknownBytes = "what cannot be known of the packet";

// The bits of one field that a comparison looks at, and what it wants them to be.
struct FieldBits {
  Field field = Field::kNone;
  std::array<std::uint8_t, 16> mask = {};
  std::array<std::uint8_t, 16> value = {};
};

Wide Number(const std::array<std::uint8_t, 16>& bytes, unsigned size) {
  Wide number = 0;
  for (unsigned i = 0; i < size; ++i) {
    number = (number << 8) | bytes[i];
  }
  return number;
}

// Whether none of a few `values` is in the domain that `field` was narrowed down to, found without copying that: it may
// have as many ranges as a block list.
bool IsOutside(const Packet& packet, Field field, const IntervalSet& values) {
  constexpr std::size_t kFew = 8;
  const auto narrowed =
      std::find_if(packet.domains.begin(), packet.domains.end(), [&](const auto& each) { return each.first == field; });
  if (narrowed == packet.domains.end() || values.Intervals().size() > kFew) {
    return false;
  }
  const auto& domain = narrowed->second.Intervals();
  return std::none_of(values.Intervals().begin(), values.Intervals().end(), [&](const IntervalSet::Interval& value) {
    const auto at = std::lower_bound(domain.begin(), domain.end(), value.first,
                                     [](const IntervalSet::Interval& each, Wide first) { return each.last < first; });
    return at != domain.end() && at->first <= value.last;
  });
}

// The domain of `field`, which is not copied where the packet has one; else it is everything, put into `all`.
const IntervalSet& DomainOf(const Packet& packet, Field field, IntervalSet& all) {
  const auto narrowed =
      std::find_if(packet.domains.begin(), packet.domains.end(), [&](const auto& each) { return each.first == field; });
  return narrowed != packet.domains.end() ? narrowed->second : all = packet.Domain(field);
}

std::uint8_t At(std::span<const std::byte> bytes, std::size_t i) { return std::to_integer<std::uint8_t>(bytes[i]); }

}  // namespace

Condition Condition::Of(Tristate truth, std::string_view because) {
  Condition condition;
  condition.And(truth, because);
  return condition;
}

Condition& Condition::And(Tristate truth, std::string_view because) {
  if (truth == Tristate::kUnknown && fixed_ == Tristate::kYes) {
    because_ = because;
  }
  fixed_ = packet::And(fixed_, truth);
  return *this;
}

Condition& Condition::And(const Condition& other) {
  And(other.fixed_, other.because_);
  for (const Part& part : other.parts_) {
    Require(part);
  }
  return *this;
}

void Condition::Require(Part part) {
  const auto found =
      std::find_if(parts_.begin(), parts_.end(), [&](const Part& each) { return each.field == part.field; });
  if (found == parts_.end()) {
    parts_.push_back(std::move(part));
    return;
  }
  found->describable = found->describable && part.describable;
  if (found->describable) {
    found->values = found->values.Intersection(part.values);
  }
}

Condition Condition::Equal(AbstractBytes actual, std::span<const std::byte> expected, IpFamily family,
                           std::span<const std::byte> mask) {
  Condition condition;
  if (actual.size() < expected.size()) {
    return Of(Tristate::kNo);
  }
  std::vector<FieldBits> fields;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const AbstractByte& byte = actual[i];
    const std::uint8_t compared = mask.empty() ? 0xff : At(mask, i);
    const std::uint8_t wanted = At(expected, i);
    // Where the mask has a 0 the result is 0, whatever the packet says.
    if (((byte.value & compared) ^ wanted) & (byte.known | static_cast<std::uint8_t>(~compared))) {
      return Of(Tristate::kNo);
    }
    const std::uint8_t open = compared & static_cast<std::uint8_t>(~byte.known);
    if (open == 0) {
      continue;
    }
    if (byte.field == Field::kNone) {
      condition.And(Tristate::kUnknown, kUnknownBytes);
      continue;
    }
    auto bits = std::find_if(fields.begin(), fields.end(), [&](const FieldBits& f) { return f.field == byte.field; });
    if (bits == fields.end()) {
      bits = fields.insert(fields.end(), FieldBits{byte.field, {}, {}});
    }
    const std::uint8_t again = bits->mask[byte.index] & open;
    if ((bits->value[byte.index] & again) != (wanted & again)) {
      return Of(Tristate::kNo);  // the same bits of the packet, loaded twice, are to have two values
    }
    bits->mask[byte.index] |= open;
    bits->value[byte.index] |= wanted & open;
  }
  for (const FieldBits& bits : fields) {
    const unsigned size = SizeOf(bits.field, family);
    Part part;
    part.field = bits.field;
    part.describable = IntervalSet::Masked(Number(bits.mask, size), Number(bits.value, size), 8 * size, &part.values);
    condition.Require(std::move(part));
  }
  return condition;
}

Condition Condition::In(AbstractBytes actual, const IntervalSet& values, IpFamily family) {
  Wide number = 0;
  if (KnownNumber(actual, &number)) {
    return Of(std::any_of(values.Intervals().begin(), values.Intervals().end(), [&](const IntervalSet::Interval& each) {
      return each.first <= number && number <= each.last;
    }));
  }
  if (values.Empty()) {
    return Of(Tristate::kNo);
  }
  const Field field = LeadingBytesOf(actual);
  Condition condition;
  if (field != Field::kNone) {
    // `actual` may be the field's first bytes only: then each value stands for all that begin with it.
    const unsigned shift = 8 * (SizeOf(field, family) - static_cast<unsigned>(actual.size()));
    Part part{field, values, true};
    if (shift > 0) {
      std::vector<IntervalSet::Interval> widened;
      for (const IntervalSet::Interval& each : values.Intervals()) {
        widened.push_back({each.first << shift, (each.last << shift) | ((Wide{1} << shift) - 1)});
      }
      part.values = IntervalSet::Union(std::move(widened));
    }
    condition.Require(std::move(part));
    return condition;
  }
  const auto open = std::find_if(actual.begin(), actual.end(), [](const AbstractByte& byte) {
    return !byte.IsKnown() && byte.field != Field::kNone;
  });
  const bool nameless = std::any_of(actual.begin(), actual.end(), [](const AbstractByte& byte) {
    return !byte.IsKnown() && byte.field == Field::kNone;
  });
  if (nameless || open == actual.end()) {
    return Of(Tristate::kUnknown, kUnknownBytes);
  }
  condition.Require(Part{open->field, {}, false});
  return condition;
}

Condition Condition::Between(AbstractBytes actual, std::span<const std::byte> from, std::span<const std::byte> to,
                             IpFamily family) {
  if (actual.size() < from.size() || from.size() != to.size()) {
    return Of(Tristate::kNo);
  }
  actual = actual.first(from.size());
  // Bytes in front that are known and that both ends share decide nothing or everything.
  while (!actual.empty() && actual.front().IsKnown() && from.front() == to.front()) {
    if (actual.front().value != At(from, 0)) {
      return Of(Tristate::kNo);
    }
    actual = actual.subspan(1);
    from = from.subspan(1);
    to = to.subspan(1);
  }
  // The same at the end: padding.
  while (!actual.empty() && actual.back().IsKnown() && from.back() == to.back() &&
         actual.back().value == At(from, from.size() - 1)) {
    actual = actual.first(actual.size() - 1);
    from = from.first(from.size() - 1);
    to = to.first(to.size() - 1);
  }
  if (actual.empty()) {
    return Of(Tristate::kYes);
  }
  if (std::all_of(actual.begin(), actual.end(), [](const AbstractByte& byte) { return byte.IsKnown(); })) {
    const auto order = [&](std::span<const std::byte> end) {
      for (std::size_t i = 0; i < actual.size(); ++i) {
        if (actual[i].value != At(end, i)) {
          return actual[i].value < At(end, i) ? -1 : 1;
        }
      }
      return 0;
    };
    return Of(order(from) >= 0 && order(to) <= 0);
  }
  if (actual.size() > sizeof(Wide)) {
    return Of(Tristate::kUnknown, kUnknownBytes);
  }
  Wide first = 0;
  Wide last = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    first = (first << 8) | At(from, i);
    last = (last << 8) | At(to, i);
  }
  return In(actual, IntervalSet::Between(first, last), family);
}

Condition Condition::Either(const Condition& a, const Condition& b, IpFamily family) {
  Condition neither;
  for (const Condition* each : {&a, &b}) {
    if (each->parts_.empty()) {
      neither.And(Not(each->fixed_), each->because_);
      continue;
    }
    Part part = each->parts_.front();
    part.values = IntervalSet::All(8 * SizeOf(part.field, family)).Difference(part.values);
    neither.Require(std::move(part));
  }
  return neither.Invert();
}

Decision Decide(const Condition& condition, Packet& packet, Packet* missed, std::string* because) {
  const auto answer = [&](bool holds) { return holds != condition.inverted_ ? Decision::kYes : Decision::kNo; };
  if (condition.parts_.empty() || condition.fixed_ == Tristate::kNo) {
    if (condition.fixed_ != Tristate::kUnknown) {
      return answer(condition.fixed_ == Tristate::kYes);
    }
  }
  bool open = condition.fixed_ == Tristate::kUnknown;
  std::string reason = condition.because_;
  std::vector<std::pair<Field, IntervalSet>> taken;    // the way the representative connection goes, match or not
  std::vector<std::pair<Field, IntervalSet>> holding;  // what unknown fields are if all parts hold
  const Condition::Part* only_part = nullptr;          // the one part that a split hangs on, if it is one
  std::size_t open_parts = 0;
  for (const Condition::Part& part : condition.parts_) {
    if (part.describable && IsOutside(packet, part.field, part.values)) {
      return answer(false);
    }
    IntervalSet all;
    const IntervalSet& domain = DomainOf(packet, part.field, all);
    const bool general = packet.general && TellsConnectionsApart(part.field);
    if (!part.describable) {
      if (general) {
        return answer(false);
      }
      open = true;
      ++open_parts;
      reason = Name(part.field);
      continue;
    }
    IntervalSet inside = domain.Intersection(part.values);
    if (inside.Empty()) {
      return answer(false);
    }
    if (inside == domain) {
      continue;
    }
    if (general) {
      IntervalSet outside = domain.Difference(part.values);
      if (inside.Measure() <= outside.Measure()) {
        packet.Restrict(part.field, std::move(outside));
        return answer(false);
      }
      taken.emplace_back(part.field, std::move(inside));
      continue;
    }
    open = true;
    ++open_parts;
    only_part = &part;
    reason = Name(part.field);
    holding.emplace_back(part.field, std::move(inside));
  }
  for (auto& [field, domain] : taken) {
    packet.Restrict(field, std::move(domain));
  }
  if (!open) {
    return answer(true);
  }
  *because = std::move(reason);
  // The packet for which not all parts hold is known better only where a single part decides.
  const bool known_better = only_part != nullptr && open_parts == 1 && condition.fixed_ == Tristate::kYes;
  if (known_better && packet.keeps_domains) {
    IntervalSet all;
    IntervalSet outside = DomainOf(packet, only_part->field, all).Difference(only_part->values);
    packet.Restrict(only_part->field, std::move(holding.front().second));
    *missed = packet;  // without what was open before, which may be long
    missed->Restrict(only_part->field, std::move(outside));
  } else {
    *missed = packet;
    if (known_better) {
      missed->Restrict(only_part->field, packet.Domain(only_part->field).Difference(only_part->values));
    }
    for (auto& [field, domain] : holding) {
      packet.Restrict(field, std::move(domain));
    }
  }
  if (condition.inverted_) {
    std::swap(packet, *missed);
  }
  return Decision::kBoth;
}

}  // namespace finwait::firewall::packet
