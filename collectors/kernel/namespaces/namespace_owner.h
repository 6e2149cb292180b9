#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "collectors/kernel/namespaces/owner.h"
#include "collectors/kernel/namespaces/owner_names.h"

namespace finwait::kernel::namespaces {

/// Whose a namespace is in which `processes` live, by their cgroups: pods before containers, these before units.
/// Nothing tells without privilege to which of several a socket belongs. So of a pod with several containers, or with
/// more processes than are listed, the container stays empty, and of several containers or units that share a namespace
/// all are named ("api or web"). Where no cgroup tells, the first process's name.
Owner OwnerOfProcesses(const std::filesystem::path& procfs, std::span<const std::uint32_t> processes, OwnerNames& names,
                       SteadyClock::time_point now);

}  // namespace finwait::kernel::namespaces
