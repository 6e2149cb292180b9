#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>

#include "collectors/base/result.h"
#include "exporter/http/peer.h"

namespace finwait::http {

/// How much each peer has had of the server lately. This is the one measure of fairness: whoever has had least is next,
/// and whoever has had most gives way, so that a peer that asks now and then is served before any number of peers that
/// ask all the time. What was had counts half after kHalfLife. Thread-safe.
class PeerUsage {
 public:
  static constexpr std::chrono::seconds kHalfLife{10};
  /// More peers than that, and those that have had least are forgotten: they count as if they had had nothing.
  static constexpr std::size_t kMostPeers = 4096;

  /// The peer has had `amount` more. Returns what it has had, that included.
  double Add(const Peer& peer, SteadyClock::time_point now, double amount = 1);
  double Of(const Peer& peer, SteadyClock::time_point now);
  /// Whether this peer has had less than the others on average, and at most half of that or 1; never where it is the
  /// only one.
  bool IsLight(const Peer& peer, SteadyClock::time_point now);
  std::size_t Peers() const;

 private:
  void Age(SteadyClock::time_point now);
  void Halve();

  mutable std::mutex mutex_;
  std::map<Peer, double> had_;
  double total_ = 0;
  SteadyClock::time_point aged_at_{};
};

}  // namespace finwait::http
