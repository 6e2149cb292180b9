#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/diagnosis/expiry_reasons.h"

namespace finwait::report {

/// One place at which closing packets of this host die, or would.
struct AffectedSite {
  diagnosis::DropSite place;
  bool inbound = false;       ///< it is the peer's answer that dies
  bool peer_fin = false;      ///< it is the peer's FIN that dies, and answers do not
  bool reset_only = false;    ///< RSTs die here, FINs do not
  bool general = false;       ///< of every connection of `family` that no narrower rule singles out
  std::uint64_t stuck = 0;    ///< sockets stuck now, all of them
  std::uint64_t at_risk = 0;  ///< open sockets that would stick, of the first LiveSummary::kMostListed
};

/// What advice depends on, taken from a diagnosis.
struct Situation {
  std::vector<AffectedSite> losses;  ///< most stuck first, then most at risk
  std::uint64_t stuck = 0;           ///< proven, now
  std::uint64_t stuck_no_nat = 0;    ///< of those, the ones that are stuck at a rule
  std::uint64_t stuck_unnamed = 0;   ///< of those, the ones at a rule that cannot be named
  std::uint64_t at_risk = 0;
  bool all_at_risk_listed = true;  ///< `losses` count every open socket at risk; else these numbers are the least
  std::uint64_t nat_stuck = 0;
  std::uint64_t nat_at_risk = 0;
  std::uint64_t nat_tracked = 0;  ///< open connections whose NAT would go with their entry
  std::uint64_t resets_lost = 0;
  std::uint64_t expiring = 0;
  /// Of the stuck and those at risk: the ones whose peer had closed first, and the rest. A forgotten entry of the
  /// former was conntrack's CLOSE_WAIT, of the latter its ESTABLISHED.
  std::uint64_t peer_closed = 0;
  std::uint64_t open_both_ways = 0;
  diagnosis::ExpiryReasons ends;
  std::optional<sources::SysctlSample> sysctl;

  bool AnyNat() const { return nat_stuck + nat_at_risk + nat_tracked > 0; }
  bool AnyOutbound() const;
  bool AnyInbound() const;
  /// Something is stuck, at risk, or was lost as a reset.
  bool AnyAffected() const { return stuck > 0 || at_risk > 0 || resets_lost > 0; }
};

/// A pure function.
Situation SituationOf(const diagnosis::Diagnosis& diagnosis);

}  // namespace finwait::report
