#pragma once

#include <cstddef>

namespace finwait::sources {

/// As many CPUs as Linux can be built for (CONFIG_NR_CPUS): a number beyond is none, and no list is longer.
constexpr std::size_t kMostCpus = 8192;

}  // namespace finwait::sources
