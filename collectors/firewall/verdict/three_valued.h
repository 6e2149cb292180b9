#pragma once

namespace finwait::firewall {

/// What can be said of a condition: it holds, it does not, or nobody can know (chance, rates, a clock, data outside
/// this machine's rules).
enum class Truth { kNo, kYes, kUnknown };

constexpr Truth TruthOf(bool value) { return value ? Truth::kYes : Truth::kNo; }

constexpr Truth Not(Truth a) { return a == Truth::kUnknown ? a : TruthOf(a == Truth::kNo); }

/// kNo decides, whatever the other is.
constexpr Truth And(Truth a, Truth b) {
  if (a == Truth::kNo || b == Truth::kNo) {
    return Truth::kNo;
  }
  return a == Truth::kYes && b == Truth::kYes ? Truth::kYes : Truth::kUnknown;
}

/// kYes decides, whatever the other is.
constexpr Truth Or(Truth a, Truth b) { return Not(And(Not(a), Not(b))); }

}  // namespace finwait::firewall
