#pragma once

#include <cstdint>
#include <vector>

#include "collectors/base/result.h"

namespace finwait::kernel {

/// The numbers of the BPF programs that are attached at one place, in the order in which they run (BPF_PROG_QUERY).
/// `target`: the index of a device of the calling thread's network namespace, or an open directory of a control group;
/// `attach_type`: the kernel's enum bpf_attach_type; `flags`: BPF_F_QUERY_*. Takes CAP_NET_ADMIN in the first user
/// namespace; an error where that is missing, or where the kernel knows no such place.
Result<std::vector<std::uint32_t>> QueryBpfPrograms(std::uint32_t target, std::uint32_t attach_type,
                                                    std::uint32_t flags = 0);

}  // namespace finwait::kernel
