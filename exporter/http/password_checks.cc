#include "exporter/http/password_checks.h"

namespace finwait::http {

bool PasswordChecks::Submit(const Peer& peer, std::function<void()> task) {
  if (!Enter(peer)) {
    return false;
  }
  const bool taken = workers_.Submit([this, peer, task = std::move(task)] {
    task();
    Leave(peer);
  });
  if (!taken) {
    Leave(peer);
  }
  return taken;
}

bool PasswordChecks::Enter(const Peer& peer) {
  const std::lock_guard lock(mutex_);
  const auto [entry, is_new] = of_peer_.try_emplace(peer, 0);
  if (entry->second >= per_peer_) {
    return false;
  }
  ++entry->second;
  return true;
}

void PasswordChecks::Leave(const Peer& peer) {
  const std::lock_guard lock(mutex_);
  const auto entry = of_peer_.find(peer);
  if (--entry->second == 0) {
    of_peer_.erase(entry);
  }
}

}  // namespace finwait::http
