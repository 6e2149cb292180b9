#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/firewall/facts/resolver.h"
#include "collectors/kernel/namespaces/owner.h"
#include "collectors/sources/sysctl.h"
#include "collectors/sources/tracking.h"
#include "exporter/diagnosis/close_evaluator.h"
#include "exporter/diagnosis/closing_drops.h"
#include "exporter/diagnosis/connection_history.h"
#include "exporter/diagnosis/drop_site.h"
#include "exporter/diagnosis/entry_timeout.h"
#include "exporter/diagnosis/expiry_reasons.h"
#include "exporter/diagnosis/socket_holder.h"

namespace finwait::diagnosis {

/// A live socket that would not close cleanly now, and what decides it: mostly one without an entry.
struct AtRiskSocket {
  kernel::TcpSocket socket;
  bool with_entry = false;  ///< its FIN, or its peer's, is dropped although its entry is there
  Fate fate = Fate::kUnknown;
  ConnectionHistory history;
  std::optional<DropSite> site;                            ///< where its FIN or its peer's ACK would die
  bool site_is_inbound = false;                            ///< `site` drops what comes from the peer
  ClosingDrops drops;                                      ///< that place, and where else its packets would die
  std::string reason;                                      ///< kUnknown, or without a site: what it hangs on
  std::uint64_t stands_for = 1;                            ///< AtRiskList::Listed
  std::uint64_t network_namespace = 0;                     ///< sources::OtherNamespace::id; 0: this host's own
  std::shared_ptr<const kernel::namespaces::Owner> owner;  ///< null: cannot be told
};

/// An open socket whose close has this outcome; without `drops`, and of this host's own. `history`: null for nothing.
AtRiskSocket DescribeOutcome(const kernel::TcpSocket& socket, const ConnectionHistory* history,
                             const CloseOutcome& outcome, CloseEvaluator& evaluator);

/// The sockets that can still be closed, and what would happen if they were closed now.
struct LiveSummary {
  std::uint64_t open = 0;                   ///< in ESTABLISHED or CLOSE_WAIT
  std::uint64_t untracked_established = 0;  ///< without an entry, where conntrack is active
  std::uint64_t untracked_close_wait = 0;
  std::array<std::uint64_t, std::size(kFatesAtRisk)> at_risk = {};  ///< by position in kFatesAtRisk
  /// Of those in `at_risk`, the ones that have an entry: rules drop FINs whether there is one or not.
  std::array<std::uint64_t, std::size(kFatesAtRisk)> at_risk_with_entry = {};
  std::uint64_t would_stick_close_wait = 0;  ///< of those in WouldStick(): the peer has closed already
  std::uint64_t translated = 0;              ///< open and tracked, with a NAT that goes with the entry
  ExpiryReasons ends;                        ///< of those in WouldStick()
  std::optional<std::uint64_t> expiring;     ///< nothing: the timeouts cannot be read
  OwnTimeoutCount own_timeouts;              ///< of open connections with an entry
  std::uint64_t sysctl_timeouts = 0;         ///< open connections with an entry whose timeout a sysctl may have given
  /// Some open socket, with an entry or without, would not close cleanly once its entry is gone.
  bool any_would_stick = false;
  bool any_unknown = false;  ///< for some it cannot be told
  /// Of those with an unknown fate, the ones that nobody has evaluated yet: the next summary goes on with them.
  std::uint64_t unevaluated = 0;
  /// Connections of other namespaces that nobody has evaluated, as something could not be read that decides.
  std::uint64_t unread_elsewhere = 0;
  /// Open, of other namespaces, without an entry, and none of their namespace's was ever seen: their packets may pass
  /// this host's conntrack by.
  std::uint64_t never_tracked_elsewhere = 0;
  std::map<SocketHolder, std::uint64_t> at_risk_by_holder;  ///< those counted in `at_risk`
  /// At most kMostListed of those counted in `at_risk`: one for each rule first, which stands for all that it drops.
  std::vector<AtRiskSocket> sockets;
  bool each_stood_for = true;  ///< what `sockets` stand for are all of those counted in `at_risk`
  static constexpr std::size_t kMostListed = 100;

  /// Would stick or leave their peer stuck, whoever closes: what makes a host exposed. Without kPeerDecides, kUnknown.
  std::uint64_t WouldStick() const { return at_risk[0] + at_risk[1] + at_risk[2] + at_risk[3]; }
  /// `fate` is one of kFatesAtRisk.
  std::uint64_t AtRisk(Fate fate) const {
    return at_risk[static_cast<std::size_t>(std::find(std::begin(kFatesAtRisk), std::end(kFatesAtRisk), fate) -
                                            std::begin(kFatesAtRisk))];
  }
};

/// What a summary may leave out.
struct LiveEffort {
  /// A drop path is known already: what would become of sockets that still have their entry is not asked.
  bool drop_path_known = false;
  /// CPU time for evaluations that are not remembered, and for resolving what they miss.
  std::chrono::nanoseconds evaluation{std::chrono::hours(1)};
};

/// Evaluates the sockets of one sample, in rounds, and sums them up. `active`: whether conntrack is active, by
/// IpFamily. `resolver`: answers what evaluations miss; null: that stays unknown. A pure function but for what the
/// evaluator remembers, and the time it takes.
LiveSummary SumUpLive(const sources::TrackingSample& sample, const ConnectionHistories& memory,
                      CloseEvaluator& evaluator, const sources::SysctlSample* sysctl, const PerFamily<bool>& active,
                      const LiveEffort& effort, firewall::facts::Resolver* resolver = nullptr);

}  // namespace finwait::diagnosis
