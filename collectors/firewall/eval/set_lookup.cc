#include "collectors/firewall/eval/set_lookup.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "collectors/firewall/packet/condition.h"

namespace finwait::firewall::eval {
namespace {

// Keys of which more than one field is open are compared with this many elements at most.
constexpr std::size_t kOpenComparisons = 4096;

std::vector<std::uint32_t> PaddedFields(const Set& set) {
  std::vector<std::uint32_t> lengths;
  for (const std::uint32_t length : set.field_lengths) {
    lengths.push_back((length + 3) / 4 * 4);
  }
  if (lengths.empty()) {
    lengths.push_back(set.key_length);
  }
  return lengths;
}

// The condition under which `key` hits `element`.
Condition Hits(const Set& set, const SetElement& element, AbstractBytes key, IpFamily family) {
  if (!element.key_end) {
    return Condition::Equal(key, element.key, family);
  }
  Condition all;
  std::size_t offset = 0;
  for (const std::uint32_t length : PaddedFields(set)) {
    if (offset + length > element.key.size() || offset + length > element.key_end->size() ||
        offset + length > key.size()) {
      return Condition::Of(Tristate::kUnknown, "a set with keys of an unknown form");
    }
    all.And(Condition::Between(key.subspan(offset, length), std::span(element.key).subspan(offset, length),
                               std::span(*element.key_end).subspan(offset, length), family));
    offset += length;
  }
  return all;
}

bool KnownKey(AbstractBytes key, Value* value) {
  value->clear();
  for (const AbstractByte& byte : key) {
    if (!byte.IsKnown()) {
      return false;
    }
    value->push_back(std::byte{byte.value});
  }
  return true;
}

// The one field that all open bits of `key` belong to; kNone where there are more, or bits of no field.
Field OnlyField(AbstractBytes key) {
  Field field = Field::kNone;
  for (const AbstractByte& byte : key) {
    if (byte.IsKnown()) {
      continue;
    }
    if (byte.field == Field::kNone || (field != Field::kNone && byte.field != field)) {
      return Field::kNone;
    }
    field = byte.field;
  }
  return field;
}

// The order of the kernel's keys. Not std::vector's own operator, of which GCC 14 believes that it reads too much.
bool IsBefore(std::span<const std::byte> a, std::span<const std::byte> b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

const SetElement* CatchAll(const Set& set) {
  return !set.elements.empty() && set.elements.back().catch_all ? &set.elements.back() : nullptr;
}

LookupBranch Missing(const Set& set, Packet packet) {
  const SetElement* rest = CatchAll(set);
  return {rest != nullptr ? LookupBranch::Kind::kFound : LookupBranch::Kind::kMissing, rest, std::move(packet)};
}

// Elements that give the same, and the values of the key's open field that hit one of them.
struct Group {
  const SetElement* element = nullptr;
  std::vector<IntervalSet::Interval> raw;
  IntervalSet values;
};

bool GiveTheSame(const SetElement& a, const SetElement& b) {
  return a.data == b.data && a.expires_ms.has_value() == b.expires_ms.has_value() && HasLimit(a) == HasLimit(b) &&
         a.counter.has_value() == b.counter.has_value();
}

// For a sentence: sets that have no name in the rules have none here.
std::string NameOf(const Set& set) { return set.anonymous ? "a set" : "set " + set.name; }

packet::Wide NumberIn(const Value& bytes) {
  packet::Wide number = 0;
  for (const std::byte byte : bytes) {
    number = (number << 8) | std::to_integer<std::uint8_t>(byte);
  }
  return number;
}

// One open field: the set divides the field's values among groups of elements and a rest.
bool DivideByField(const Set& set, AbstractBytes key, Field field, const Packet& packet,
                   std::vector<LookupBranch>& branches) {
  std::vector<Group> groups;
  const bool whole = set.field_lengths.size() < 2 && LeadingBytesOf(key) == field &&
                     key.size() == SizeOf(field, packet.family) && key.size() <= sizeof(packet::Wide);
  for (const SetElement& element : set.elements) {
    if (element.catch_all) {
      continue;
    }
    if (whole && !groups.empty() && GiveTheSame(*groups.back().element, element)) {  // of a long set, nearly all
      groups.back().raw.push_back({NumberIn(element.key), NumberIn(element.key_end ? *element.key_end : element.key)});
      continue;
    }
    const Condition hits = Hits(set, element, key, packet.family);
    if (hits.Fixed() == Tristate::kNo) {
      continue;
    }
    if (hits.Fixed() == Tristate::kUnknown || hits.Parts().size() != 1 || !hits.Parts().front().describable) {
      return false;
    }
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const Group& each) { return GiveTheSame(*each.element, element); });
    if (group == groups.end()) {
      if (groups.size() == kLookupBranches) {
        return false;
      }
      group = groups.insert(groups.end(), Group{&element, {}, {}});
    }
    const auto& intervals = hits.Parts().front().values.Intervals();
    group->raw.insert(group->raw.end(), intervals.begin(), intervals.end());
  }
  IntervalSet rest = packet.Domain(field);
  for (Group& group : groups) {
    group.values = IntervalSet::Union(std::move(group.raw)).Intersection(rest);
    rest = rest.Difference(group.values);
  }
  const auto narrowed = [&](const IntervalSet& values) {
    Packet result = packet;
    result.Restrict(field, values);
    return result;
  };
  const bool general = packet.general && TellsConnectionsApart(field);
  const Group* largest = nullptr;
  for (const Group& group : groups) {
    if (group.values.Empty()) {
      continue;
    }
    if (!general) {
      branches.push_back({LookupBranch::Kind::kFound, group.element, narrowed(group.values)});
    } else if (group.values.Measure() > (largest != nullptr ? largest->values : rest).Measure()) {
      largest = &group;
    }
  }
  if (largest != nullptr) {
    branches.push_back({LookupBranch::Kind::kFound, largest->element, narrowed(largest->values)});
  } else if (!rest.Empty()) {
    branches.push_back(Missing(set, narrowed(rest)));
  }
  return true;
}

// Several open fields: as if each element were a rule of its own.
void TryOneByOne(const Set& set, AbstractBytes key, Packet packet, std::vector<LookupBranch>& branches) {
  std::string because;
  Packet missed;
  for (const SetElement& element : set.elements) {
    if (element.catch_all) {
      continue;
    }
    if (branches.size() + 2 >= kLookupBranches) {
      branches.push_back({LookupBranch::Kind::kSome, nullptr, packet});
      break;
    }
    const Decision decision = Decide(Hits(set, element, key, packet.family), packet, &missed, &because);
    if (decision == Decision::kNo) {
      continue;
    }
    branches.push_back({LookupBranch::Kind::kFound, &element, packet});
    if (decision == Decision::kYes) {
      return;
    }
    packet = missed;
  }
  branches.push_back(Missing(set, std::move(packet)));
}

}  // namespace

bool IsUncertain(const SetElement& element) { return element.expires_ms || HasLimit(element); }

bool HasLimit(const SetElement& element) {
  return std::any_of(element.expressions.begin(), element.expressions.end(),
                     [](const std::string& name) { return name != "counter" && name != "last"; });
}

bool MayHoldMore(const Set& set) { return set.contents != Contents::kComplete || set.dynamic; }

const SetElement* FindElement(const Set& set, const Value& key) {
  const auto end = set.elements.end() - (CatchAll(set) != nullptr ? 1 : 0);
  if (set.field_lengths.size() < 2) {
    // Sorted by key, and no two ranges overlap: only the last element that starts at or before the key can hold it.
    const auto after =
        std::upper_bound(set.elements.begin(), end, key,
                         [](const Value& wanted, const SetElement& each) { return IsBefore(wanted, each.key); });
    if (after == set.elements.begin()) {
      return nullptr;
    }
    const SetElement& element = *(after - 1);
    return IsBefore(element.key_end ? *element.key_end : element.key, key) ? nullptr : &element;
  }
  const std::vector<std::uint32_t> fields = PaddedFields(set);
  for (auto element = set.elements.begin(); element != end; ++element) {
    const Value& to = element->key_end ? *element->key_end : element->key;
    std::size_t offset = 0;
    bool inside = true;
    for (const std::uint32_t length : fields) {
      if (offset + length > key.size() || offset + length > to.size()) {
        return nullptr;
      }
      inside = inside && std::memcmp(key.data() + offset, element->key.data() + offset, length) >= 0 &&
               std::memcmp(key.data() + offset, to.data() + offset, length) <= 0;
      offset += length;
    }
    if (inside) {
      return &*element;
    }
  }
  return nullptr;
}

std::vector<LookupBranch> LookUp(const Set& set, AbstractBytes key, const Packet& packet, std::string* because) {
  std::vector<LookupBranch> branches;
  Value known;
  if (KnownKey(key, &known)) {
    const SetElement* element = FindElement(set, known);
    branches.push_back(element != nullptr ? LookupBranch{LookupBranch::Kind::kFound, element, packet}
                                          : Missing(set, packet));
  } else {
    const Field field = OnlyField(key);
    *because = field != Field::kNone ? std::string(Name(field)) : "a key that cannot be known";
    if (field == Field::kNone || !DivideByField(set, key, field, packet, branches)) {
      branches.clear();
      if (set.elements.size() <= kOpenComparisons) {
        TryOneByOne(set, key, packet, branches);
      } else if (packet.general) {
        branches.push_back(Missing(set, packet));  // each element singles out a few connections
      } else {
        branches.push_back({LookupBranch::Kind::kSome, nullptr, packet});
        branches.push_back(Missing(set, packet));
      }
    }
  }
  // What is uncertain, or may be there unseen, opens further ways. No list singles out the representative connection,
  // seen or unseen.
  const bool singled_out = packet.general && known.size() != key.size();
  // Classes are told apart by what sets hold now, as single connections are: the rules have just been read.
  const bool now = packet.keeps_domains;
  const std::size_t certain = branches.size();
  for (std::size_t i = 0; i < certain; ++i) {
    const bool found = branches[i].kind == LookupBranch::Kind::kFound && !branches[i].element->catch_all;
    if (found && (now ? HasLimit(*branches[i].element) : IsUncertain(*branches[i].element))) {
      *because = "an element of " + NameOf(set) + " that has a limit or may be gone";
      branches.push_back(Missing(set, branches[i].packet));
    } else if (!found && branches[i].kind != LookupBranch::Kind::kSome && !singled_out &&
               (now ? set.contents != Contents::kComplete : MayHoldMore(set))) {
      *because = NameOf(set) + (set.dynamic ? ", which packets fill" : ", which is too large to be held");
      branches.push_back({LookupBranch::Kind::kSome, nullptr, branches[i].packet});
    }
  }
  return branches;
}

}  // namespace finwait::firewall::eval
