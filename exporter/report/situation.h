#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collectors/sources/sysctl.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/diagnosis/expiry_reasons.h"

namespace finwait::report {

/// Another place that has to let the same sockets' packets pass.
struct FurtherSite {
  diagnosis::DropSite site;
  firewall::eval::Accepts accepts = firewall::eval::Accepts::kReplies;
};

/// One place at which closing packets of this host die, or would.
struct AffectedSite {
  diagnosis::DropSite site;
  bool inbound = false;               ///< it is the peer's answer that dies
  bool peer_fin = false;              ///< it is the peer's FIN that dies, and answers do not
  bool last_ack = false;              ///< it is this host's ACK of the peer's FIN that dies, and the FIN does not
  bool acks_too = false;              ///< that ACK dies here as well as the FIN
  bool with_entry = false;            ///< FINs die here whether they have an entry or not
  bool answers_with_entry = false;    ///< ACKs of FINs do
  bool helps = true;                  ///< false: no accept in front of it lets them pass
  std::vector<firewall::Hook> hooks;  ///< whose packets come to the rule, where they are several
  std::vector<FurtherSite> further;   ///< where else the packets of those stuck here die
  bool reset_only = false;            ///< RSTs die here, FINs do not
  bool general = false;               ///< of every connection of `family` that no narrower rule singles out
  std::uint64_t stuck = 0;            ///< sockets stuck now, all of them
  std::uint64_t at_risk = 0;          ///< open sockets that would stick
};

/// What of a connection dies there: "the FIN", "the peer's answer to a FIN", ...
std::string_view DyingAt(const AffectedSite& loss);

/// What advice depends on, taken from a diagnosis.
struct Situation {
  std::vector<AffectedSite> losses;  ///< most stuck first, then most at risk
  std::uint64_t stuck = 0;           ///< proven, now
  std::uint64_t stuck_no_nat = 0;    ///< of those, the ones that are stuck at a rule
  std::uint64_t stuck_unnamed = 0;   ///< of those, the ones at a rule that cannot be named
  std::uint64_t at_risk = 0;
  bool all_at_risk_counted = true;  ///< `losses` count every open socket at risk; else these numbers are the least
  std::uint64_t nat_stuck = 0;
  std::uint64_t nat_at_risk = 0;
  std::uint64_t nat_tracked = 0;  ///< open connections whose NAT would go with their entry
  std::uint64_t resets_lost = 0;
  std::uint64_t expiring = 0;
  bool table_full = false;  ///< conntrack drops what has no entry: its table is full
  /// Of the stuck and those at risk: the ones whose peer had closed first, and the rest. A forgotten entry of the
  /// former was conntrack's CLOSE_WAIT, of the latter its ESTABLISHED.
  std::uint64_t peer_closed = 0;
  std::uint64_t open_both_ways = 0;
  diagnosis::ExpiryReasons ends;
  /// Of open connections with an entry, and of those that have lost it: no sysctl decides for them.
  diagnosis::OwnTimeoutCount own_timeouts;
  bool only_own_timeouts = false;  ///< and of no other connection is it known that a sysctl decides
  std::optional<sources::SysctlSample> sysctl;
  /// Some packets die at a place although their entry is there: not for want of one.
  bool AnyWithEntry() const;
  /// All do that die at a place.
  bool OnlyWithEntry() const;
  /// What the representative connection hangs on with every accept that is advised, where that cannot be known.
  std::string not_enough;

  bool AnyNat() const { return nat_stuck + nat_at_risk + nat_tracked > 0; }
  bool AnyOutbound() const;
  /// Something is stuck, at risk, or was lost as a reset.
  bool AnyAffected() const { return stuck > 0 || at_risk > 0 || resets_lost > 0; }
};

/// A pure function.
Situation SituationOf(const diagnosis::Diagnosis& diagnosis);

}  // namespace finwait::report
