#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "collectors/kernel/namespaces/owner_names.h"

namespace finwait::sources {

/// How much is read of other network namespaces: --namespaces.
enum class NamespaceDepth : std::uint8_t {
  kNone,     ///< they are counted
  kObserve,  ///< what may be read without privilege
};

/// What the collector of other namespaces is told.
struct NamespaceSettings {
  NamespaceDepth depth = NamespaceDepth::kObserve;
  kernel::namespaces::NamePaths names = {};
  /// CPU time that one collection may take for reading lists of sockets; nothing: as long as the deadline allows.
  std::optional<std::chrono::nanoseconds> effort = std::nullopt;
};

}  // namespace finwait::sources
