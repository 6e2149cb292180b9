#pragma once

#include "collectors/firewall/facts/fact_store.h"

namespace finwait::firewall::facts {

/// Answers needs. The kernel does so for real (firewall/read/fact_resolver.h); tests have tables. Not thread-safe.
class Resolver {
 public:
  virtual ~Resolver() = default;
  /// Puts an answer to each need into `store`, `failed` where it could not be asked in time. Blocks, within bounds of
  /// its own.
  virtual void Resolve(const Needs& needs, FactStore& store) = 0;
  /// Invalidates facts of which the kernel has told since the last call that they changed. Never blocks.
  virtual void TakeInChanges(FactStore& store) = 0;
};

}  // namespace finwait::firewall::facts
