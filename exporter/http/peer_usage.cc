#include "exporter/http/peer_usage.h"

#include <algorithm>

namespace finwait::http {

namespace {

constexpr double kForgotten = 0.6;  // one unit, halved once
constexpr int kMostHalvings = 64;   // after which any count is forgotten

}  // namespace

void PeerUsage::Halve() {
  total_ = 0;
  for (auto entry = had_.begin(); entry != had_.end();) {
    entry->second /= 2;
    if (entry->second < kForgotten) {
      entry = had_.erase(entry);
    } else {
      total_ += entry->second;
      ++entry;
    }
  }
}

void PeerUsage::Age(SteadyClock::time_point now) {
  if (had_.empty()) {
    aged_at_ = now;
  }
  for (int i = 0; now - aged_at_ >= kHalfLife && i < kMostHalvings; ++i) {
    aged_at_ += kHalfLife;
    Halve();
  }
}

double PeerUsage::Add(const Peer& peer, SteadyClock::time_point now, double amount) {
  const std::lock_guard lock(mutex_);
  Age(now);
  while (had_.size() >= kMostPeers && !had_.contains(peer)) {
    Halve();
  }
  total_ += amount;
  return had_[peer] += amount;
}

double PeerUsage::Of(const Peer& peer, SteadyClock::time_point now) {
  const std::lock_guard lock(mutex_);
  Age(now);
  const auto found = had_.find(peer);
  return found == had_.end() ? 0 : found->second;
}

bool PeerUsage::IsLight(const Peer& peer, SteadyClock::time_point now) {
  const std::lock_guard lock(mutex_);
  Age(now);
  const auto found = had_.find(peer);
  const double own = found == had_.end() ? 0 : found->second;
  const std::size_t others = had_.size() - (found == had_.end() ? 0 : 1);
  if (others == 0) {
    return false;
  }
  const double average = (total_ - own) / static_cast<double>(others);
  return own < average && own <= std::max(1.0, average / 2);
}

std::size_t PeerUsage::Peers() const {
  const std::lock_guard lock(mutex_);
  return had_.size();
}

}  // namespace finwait::http
