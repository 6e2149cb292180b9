#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "collectors/base/result.h"
#include "collectors/base/unique_fd.h"
#include "collectors/kernel/namespaces/owner_names.h"

namespace finwait::kernel::namespaces {

/// A network namespace that somebody has named.
struct NamedNamespace {
  UniqueFd file;     ///< what setns() takes
  std::string text;  ///< "process 4711 (container web)", "/run/netns/blue"
};

/// Where namespaces are looked for.
struct NamespacePaths {
  std::filesystem::path procfs = "/proc";
  std::filesystem::path named = "/run/netns";  ///< where `ip netns` keeps its names
  NamePaths names = {};
};

/// Finds the network namespace that `text` names: a PID, a name of `ip netns`, a container's name or the beginning of
/// its ID, a pod as NAMESPACE/NAME, or the path of a namespace's file. In this order: what is tried first wins. An
/// error says, in one sentence, what was not found or which ones it may mean.
Result<NamedNamespace> FindNamespace(const NamespacePaths& paths, const std::string& text);

/// One sentence where it is none: any file may be named.
Result<void> RequireNetwork(const NamedNamespace& where);

/// Moves the calling thread into it. To be called before the first thread, and before privileges are given up: it takes
/// CAP_SYS_ADMIN.
Result<void> EnterNamespace(const NamedNamespace& where);

}  // namespace finwait::kernel::namespaces
