#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "exporter/http/peer.h"
#include "exporter/http/peer_usage.h"

namespace finwait::http {

/// Items that wait, queued by peer: the peer that has had least (PeerUsage) is next, and of two alike the one that
/// waits longer. A full queue makes room for those who wait with less than the fullest. Not thread-safe.
template <typename Item>
class FairQueue {
 public:
  struct Entry {
    Peer peer;
    Item item;
  };

  /// Of one peer at most `waiting_per_peer` wait, and at most `serving_per_peer` are served at once. `usage` must
  /// outlive this.
  FairQueue(PeerUsage& usage, std::size_t waiting_per_peer, std::size_t serving_per_peer)
      : usage_(usage), waiting_per_peer_(waiting_per_peer), serving_per_peer_(serving_per_peer) {}

  std::size_t Waiting() const { return waiting_; }

  /// Queues `item`, where at most `room` may wait; before everything else where it `goes_on` with what was served
  /// before. Returns what finds no place: nothing; the newest item of the peer with most waiting, where this one's peer
  /// has less; or `item` itself.
  std::optional<Item> Push(const Peer& peer, Item item, std::size_t room, SteadyClock::time_point now,
                           bool goes_on = false) {
    const auto own = peers_.find(peer);
    const std::size_t own_waiting = own == peers_.end() ? 0 : own->second.waiting.size();
    std::optional<Item> displaced;
    if (own_waiting >= waiting_per_peer_) {
      usage_.Add(peer, now);
      return item;
    }
    if (waiting_ >= room) {
      const auto fullest = Fullest(now);
      const std::size_t most = fullest == peers_.end() ? 0 : fullest->second.waiting.size();
      const bool gives_way =
          most > own_waiting + 1 || (most == own_waiting + 1 && usage_.Of(fullest->first, now) > usage_.Of(peer, now));
      if (!gives_way) {
        usage_.Add(peer, now);
        return item;
      }
      displaced = std::move(fullest->second.waiting.back().item);
      fullest->second.waiting.pop_back();
      --waiting_;
      Evict(fullest);
    }
    auto& waiting = peers_[peer].waiting;
    waiting.insert(goes_on ? waiting.begin() : waiting.end(), {next_number_++, goes_on, std::move(item)});
    ++waiting_;
    return displaced;
  }

  /// Takes the item whose turn it is; its peer is then served until Done. Where it `overtakes`, only one that goes on
  /// or whose peer has had clearly less than everybody who is being served.
  std::optional<Entry> Pop(SteadyClock::time_point now, bool overtakes = false) {
    const double most = overtakes ? kClearlyLess * (LeastOfServed(now) - 1) : std::numeric_limits<double>::infinity();
    auto next = peers_.end();
    double least = 0;
    bool goes_on = false;
    for (auto one = peers_.begin(); one != peers_.end(); ++one) {
      if (one->second.waiting.empty() || one->second.serving >= serving_per_peer_) {
        continue;
      }
      const double had = usage_.Of(one->first, now);
      const Numbered& first = one->second.waiting.front();
      if (next == peers_.end() || std::tuple(!first.goes_on, had, first.number) <
                                      std::tuple(!goes_on, least, next->second.waiting.front().number)) {
        next = one;
        least = had;
        goes_on = first.goes_on;
      }
    }
    if (next == peers_.end() || (!goes_on && least >= most)) {
      return std::nullopt;
    }
    Entry entry{next->first, std::move(next->second.waiting.front().item)};
    next->second.waiting.pop_front();
    --waiting_;
    ++next->second.serving;
    usage_.Add(entry.peer, now);
    return entry;
  }

  /// Ends what Pop has begun for that peer, and cost `more` than an item does at least.
  void Done(const Peer& peer, double more, SteadyClock::time_point now) {
    const auto entry = peers_.find(peer);
    usage_.Add(peer, now, more);
    --entry->second.serving;
    Evict(entry);
  }

  /// Takes out the first item of that peer that `is_it`; false when none waits.
  template <typename IsIt>
  bool Remove(const Peer& peer, IsIt is_it) {
    const auto entry = peers_.find(peer);
    if (entry == peers_.end()) {
      return false;
    }
    auto& waiting = entry->second.waiting;
    const auto found = std::find_if(waiting.begin(), waiting.end(), [&](const auto& one) { return is_it(one.item); });
    if (found == waiting.end()) {
      return false;
    }
    waiting.erase(found);
    --waiting_;
    Evict(entry);
    return true;
  }

  void Clear() {
    for (auto& [peer, of_peer] : peers_) {
      of_peer.waiting.clear();
    }
    waiting_ = 0;
  }

 private:
  struct Numbered {
    std::uint64_t number;  ///< of arrival
    bool goes_on;
    Item item;
  };
  struct OfPeer {
    std::deque<Numbered> waiting;
    std::size_t serving = 0;
  };
  using Peers = std::map<Peer, OfPeer>;

  /// Of what another one has had before it was served. Of many that ask in turn, each has had nearly as much as the
  /// next.
  static constexpr double kClearlyLess = 0.75;

  /// What the one has had that has had least of those being served; endless where nobody is.
  double LeastOfServed(SteadyClock::time_point now) {
    double least = std::numeric_limits<double>::infinity();
    for (const auto& [peer, of_peer] : peers_) {
      least = of_peer.serving == 0 ? least : std::min(least, usage_.Of(peer, now));
    }
    return least;
  }

  /// The peer with most waiting; of those alike the one that has had most.
  typename Peers::iterator Fullest(SteadyClock::time_point now) {
    auto fullest = peers_.end();
    double had = 0;
    for (auto one = peers_.begin(); one != peers_.end(); ++one) {
      const std::size_t waiting = one->second.waiting.size();
      const std::size_t most = fullest == peers_.end() ? 0 : fullest->second.waiting.size();
      if (waiting == 0 || waiting < most) {
        continue;
      }
      const double own = usage_.Of(one->first, now);
      if (waiting > most || own > had) {
        fullest = one;
        had = own;
      }
    }
    return fullest;
  }

  void Evict(typename Peers::iterator entry) {
    if (entry->second.waiting.empty() && entry->second.serving == 0) {
      peers_.erase(entry);
    }
  }

  PeerUsage& usage_;
  const std::size_t waiting_per_peer_;
  const std::size_t serving_per_peer_;
  Peers peers_;
  std::size_t waiting_ = 0;
  std::uint64_t next_number_ = 0;
};

}  // namespace finwait::http
