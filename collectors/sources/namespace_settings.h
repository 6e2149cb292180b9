#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "collectors/kernel/namespaces/entered_host.h"
#include "collectors/kernel/namespaces/owner_names.h"

namespace finwait::sources {

/// How much is read of other network namespaces: --namespaces.
enum class NamespaceDepth : std::uint8_t {
  kNone,     ///< they are counted
  kObserve,  ///< what may be read without privilege
  kEnter,    ///< that, and what takes entering them, which a process of its own does (kernel/namespaces/opener.h)
};

/// What the collector of other namespaces is told.
struct NamespaceSettings {
  NamespaceDepth depth = NamespaceDepth::kObserve;
  kernel::namespaces::NamePaths names = {};
  /// kEnter: the way in; null where it could not be made, for `no_entrance`.
  std::shared_ptr<const kernel::namespaces::Entrance> entrance = nullptr;
  std::string no_entrance = {};
  /// CPU time that one collection may take for reading lists of sockets; nothing: as long as the deadline allows.
  std::optional<std::chrono::nanoseconds> effort = std::nullopt;
};

}  // namespace finwait::sources
