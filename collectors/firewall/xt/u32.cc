// -m u32: numbers of the packet, masked, shifted and compared (u32_match_it()).
#include <linux/netfilter/xt_u32.h>

#include <algorithm>
#include <iterator>

#include "collectors/firewall/xt/packet_words.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace u32 {
namespace {

// The number that a test compares. False: the packet is too short for it, or nobody can tell (`*there`).
bool Load(const xt_u32_test& test, const Packet& packet, AbstractWord* number, Tristate* there) {
  const auto at = [&](std::uint64_t offset) {
    *there = IsAsLongAs(packet, offset + 4);
    *number = WordAt(packet, offset, 4);
    return *there == Tristate::kYes;
  };
  std::uint64_t base = 0;
  if (!at(test.location[0].number)) {
    return false;
  }
  for (std::size_t i = 1; i < std::min<std::size_t>(test.nnums, std::size(test.location)); ++i) {
    const std::uint32_t operand = test.location[i].number;
    switch (test.location[i].nextop) {
      case XT_U32_AND:
        *number = number->And(operand);
        break;
      case XT_U32_LEFTSH:
      case XT_U32_RIGHTSH:
        if (operand > 31) {
          *there = Tristate::kUnknown;
          return false;
        }
        *number = test.location[i].nextop == XT_U32_LEFTSH ? number->Left(operand) : number->Right(operand);
        break;
      case XT_U32_AT:
        if (!number->IsKnown()) {
          *there = Tristate::kUnknown;
          return false;
        }
        base += number->value;
        if (!at(base + operand)) {
          return false;
        }
        break;
    }
  }
  return true;
}

Tristate Holds(const xt_u32_test& test, const Packet& packet) {
  AbstractWord number;
  Tristate there = Tristate::kYes;
  if (!Load(test, packet, &number, &there)) {
    return there;
  }
  Tristate any = Tristate::kNo;
  for (std::size_t i = 0; i < std::min<std::size_t>(test.nvalues, std::size(test.value)); ++i) {
    any = packet::Or(any, number.IsBetween(test.value[i].min, test.value[i].max));
  }
  return any;
}

Conditions Meaning(const xt_u32& info, const Packet& packet, const HookContext&) {
  Tristate all = Tristate::kYes;
  for (std::size_t i = 0; i < std::min<std::size_t>(info.ntests, std::size(info.tests)); ++i) {
    all = packet::And(all, Holds(info.tests[i], packet));
  }
  return {Condition::Of(all, "bytes of the packet").Invert(info.invert != 0)};
}

constexpr Match kMatches[] = {
    {.name = "u32", .revisions = {0, 0}, .traits = {}, .conditions = kConditionsOf<xt_u32, Meaning>}};

}  // namespace
}  // namespace u32

Family families::U32() { return {.matches = u32::kMatches}; }

}  // namespace finwait::firewall::xt
