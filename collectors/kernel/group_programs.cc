#include "collectors/kernel/group_programs.h"

#include <fcntl.h>
#include <linux/bpf.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "collectors/base/unique_fd.h"
#include "collectors/kernel/bpf_inventory.h"
#include "collectors/kernel/bpf_query.h"
#include "collectors/kernel/cgroup_walk.h"

namespace finwait::kernel {
namespace {

// In the order of GroupProgram::outgoing.
constexpr std::array<std::uint32_t, 2> kPlaces = {BPF_CGROUP_INET_INGRESS, BPF_CGROUP_INET_EGRESS};

}  // namespace

std::vector<GroupProgram> ReadGroupPrograms(const Host& host, Deadline deadline) {
  std::vector<GroupProgram> programs;
  const auto mount = FindCgroup2(host.procfs, deadline);
  if (!mount) {
    return programs;
  }
  std::array<std::vector<std::uint32_t>, kPlaces.size()> of_root;
  bool refused = false;
  WalkCgroups(*mount, deadline, [&](const WalkedCgroup& group) {
    const UniqueFd folder(::open((*mount + group.path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const bool is_root = group.number == GroupProgram::kRoot;
    for (std::size_t place = 0; folder && place < kPlaces.size(); ++place) {
      const auto found =
          QueryBpfPrograms(static_cast<std::uint32_t>(folder.Get()), kPlaces[place], BPF_F_QUERY_EFFECTIVE);
      if (!found && found.error().errno_code == ENOENT) {
        break;  // it has gone since
      }
      if (!found) {
        refused = true;
        return false;  // not allowed: so of every group
      }
      for (const std::uint32_t program : *found) {
        auto& known = of_root[place];
        if (!is_root && std::find(known.begin(), known.end(), program) != known.end()) {
          continue;
        }
        if (is_root) {
          known.push_back(program);
        }
        programs.push_back({group.number, place == 1,
                            "the BPF program " +
                                CalledBpf(host.bpf != nullptr ? host.bpf->NameOf(program) : "", program) + ", " +
                                (place == 1 ? "egress" : "ingress") + " of control group " + group.path});
      }
    }
    return programs.size() < kMostGroupPrograms;
  });
  return refused && host.bpf != nullptr ? host.bpf->of_groups : programs;
}

}  // namespace finwait::kernel
