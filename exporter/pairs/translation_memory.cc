#include "exporter/pairs/translation_memory.h"

#include <utility>

#include "collectors/sources/network_namespaces.h"
#include "collectors/sources/tracking.h"

namespace finwait::pairs {

std::shared_ptr<const Translations> TranslationMemory::Next(const kernel::SocketTable& sockets,
                                                            const Translations& before) {
  auto next = std::make_shared<Translations>();
  for (const kernel::TcpSocket& socket : sockets) {
    if (socket.entry.tracking == kernel::Tracking::kTracked) {
      if (socket.entry.translation != nullptr) {
        next->emplace(socket.cookie, socket.entry.translation);
      }
    } else if (const auto known = before.find(socket.cookie); known != before.end()) {
      next->insert(*known);
    }
  }
  return next;
}

void TranslationMemory::Take(const diagnosis::Diagnosis& diagnosis) {
  const auto* status = diagnosis.snapshot->Status<sources::TrackingSample>();
  if (const auto* tracking = diagnosis.snapshot->Find<sources::TrackingSample>();
      tracking != nullptr && std::exchange(own_sample_, status->data) != status->data) {
    auto next = Next(tracking->sockets, *Own());
    const std::lock_guard lock(mutex_);
    own_ = std::move(next);
  }
  if (const auto* others = diagnosis.snapshot->Find<sources::NetworkNamespacesSample>();
      others != nullptr && others->live != nullptr && std::exchange(other_sample_, others->live) != others->live) {
    auto next = Next(others->live->sockets, *Elsewhere());
    const std::lock_guard lock(mutex_);
    elsewhere_ = std::move(next);
  }
}

std::shared_ptr<const Translations> TranslationMemory::Own() const {
  const std::lock_guard lock(mutex_);
  return own_;
}

std::shared_ptr<const Translations> TranslationMemory::Elsewhere() const {
  const std::lock_guard lock(mutex_);
  return elsewhere_;
}

}  // namespace finwait::pairs
