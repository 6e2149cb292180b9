#pragma once

namespace finwait::firewall::packet {

/// What can be said of a condition: it holds, it does not, or nobody can know (chance, rates, a clock, data outside
/// this machine's rules).
enum class Tristate { kNo, kYes, kUnknown };

constexpr Tristate TristateOf(bool value) { return value ? Tristate::kYes : Tristate::kNo; }

constexpr Tristate Not(Tristate a) { return a == Tristate::kUnknown ? a : TristateOf(a == Tristate::kNo); }

/// kNo decides, whatever the other is.
constexpr Tristate And(Tristate a, Tristate b) {
  if (a == Tristate::kNo || b == Tristate::kNo) {
    return Tristate::kNo;
  }
  return a == Tristate::kYes && b == Tristate::kYes ? Tristate::kYes : Tristate::kUnknown;
}

/// kYes decides, whatever the other is.
constexpr Tristate Or(Tristate a, Tristate b) { return Not(And(Not(a), Not(b))); }

}  // namespace finwait::firewall::packet
