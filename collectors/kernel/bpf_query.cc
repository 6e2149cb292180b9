#include "collectors/kernel/bpf_query.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

namespace finwait::kernel {

// No place takes more than 64 programs (BPF_CGROUP_MAX_PROGS, BPF_MPROG_MAX); what a control group inherits is beyond.
Result<std::vector<std::uint32_t>> QueryBpfPrograms(std::uint32_t target, std::uint32_t attach_type,
                                                    std::uint32_t flags) {
  constexpr std::size_t kMost = 256;
  std::vector<std::uint32_t> programs(kMost);
  bpf_attr attributes = {};
  attributes.query.target_fd = target;  // of a device: its index (target_ifindex, in the same place)
  attributes.query.attach_type = attach_type;
  attributes.query.query_flags = flags;
  attributes.query.prog_ids = reinterpret_cast<std::uint64_t>(programs.data());
  attributes.query.prog_cnt = kMost;
  // ENOSPC: there are more, and those that fit have been told.
  if (::syscall(SYS_bpf, BPF_PROG_QUERY, &attributes, sizeof attributes.query) != 0 && errno != ENOSPC) {
    return FailErrno("list BPF programs", errno);
  }
  programs.resize(std::min<std::size_t>(attributes.query.prog_cnt, kMost));
  return programs;
}

}  // namespace finwait::kernel
