#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "collectors/kernel/namespaces/owner.h"
#include "collectors/kernel/namespaces/owner_names.h"

namespace finwait::kernel::namespaces {

/// Whose a namespace is in which `processes` live, by their cgroups. Of a pod with several containers, that share a
/// namespace, the container stays empty: nothing tells without privilege which one a socket belongs to. Where no
/// cgroup tells, the first process's name.
Owner OwnerOfProcesses(const std::filesystem::path& procfs, std::span<const std::uint32_t> processes, OwnerNames& names,
                       SteadyClock::time_point now);

}  // namespace finwait::kernel::namespaces
