#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "collectors/kernel/socket_table.h"
#include "exporter/diagnosis/diagnosis.h"

namespace finwait::pairs {

/// The ends of connections beyond NAT, by socket cookie.
using Translations = std::unordered_map<std::uint64_t, std::shared_ptr<const kernel::Translation>>;

/// Remembers the translation of live sockets for as long as they live: their entries tell it, and go before them.
/// Take() belongs to one thread; the rest to any.
class TranslationMemory {
 public:
  void Take(const diagnosis::Diagnosis& diagnosis);

  /// Of this host's own sockets; never null.
  std::shared_ptr<const Translations> Own() const;
  /// Of the sockets of other namespaces; never null.
  std::shared_ptr<const Translations> Elsewhere() const;

 private:
  /// Those of `before` that `sockets` still lists, and what it shows itself.
  static std::shared_ptr<const Translations> Next(const kernel::SocketTable& sockets, const Translations& before);

  // The samples last taken, held so that a new one cannot have an old one's address.
  std::shared_ptr<const void> own_sample_;
  std::shared_ptr<const void> other_sample_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Translations> own_ = std::make_shared<const Translations>();
  std::shared_ptr<const Translations> elsewhere_ = own_;
};

}  // namespace finwait::pairs
