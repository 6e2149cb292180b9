#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "collectors/kernel/translated_flow.h"
#include "exporter/diagnosis/diagnosis.h"
#include "exporter/pairs/digest.h"
#include "exporter/pairs/halves.h"

namespace finwait::pairs {

/// Remembers the connections that pass this host's NAT, by digests, also once their entries are gone: it is then that
/// closes get lost. One is forgotten when either side's ends are another's, or for younger ones; never by time, as a
/// half can be abandoned for weeks, and whoever takes its ports takes them here, too. Take() belongs to one thread; the
/// rest to any.
class PassageMemory {
 public:
  static constexpr std::size_t kMost = 32'768;

  explicit PassageMemory(const Key& key) : digester_(key) {}
  void Take(const diagnosis::Diagnosis& diagnosis);
  std::vector<Passage> Known() const;

 private:
  struct Remembered {
    Passage passage;
    std::uint64_t sample = 0;  // the last that showed it
  };
  using Flows = std::map<kernel::TranslatedFlow, Remembered>;

  void Add(const kernel::TranslatedFlow& flow);
  void Forget(Flows::iterator item);
  void DropOldest();

  mutable std::mutex mutex_;
  Digester digester_;
  std::shared_ptr<const void> sample_;  // held so that a new one cannot have its address
  std::uint64_t samples_ = 0;
  Flows flows_;
  std::unordered_map<Digest, Flows::iterator> by_opener_;    // the opener's end on its side
  std::unordered_map<Digest, Flows::iterator> by_answerer_;  // the answerer's end on its side
};

}  // namespace finwait::pairs
