#include "collectors/kernel/namespaces/namespace_owner.h"

#include <optional>
#include <string>
#include <string_view>

#include "collectors/kernel/procfs.h"

namespace finwait::kernel::namespaces {
namespace {

// The name of a process's program, at most 15 bytes.
std::string CommandOf(const std::filesystem::path& process) {
  auto name = ReadSmallFile(process / "comm");
  if (name && name->ends_with('\n')) {
    name->pop_back();
  }
  return name.value_or("");
}

}  // namespace

Owner OwnerOfProcesses(const std::filesystem::path& procfs, std::span<const std::uint32_t> processes, OwnerNames& names,
                       SteadyClock::time_point now) {
  std::optional<CgroupOwner> first;
  std::string command;
  bool several_containers = false;
  for (const std::uint32_t pid : processes) {
    const std::filesystem::path process = procfs / std::to_string(pid);
    const auto cgroups = ReadSmallFile(process / "cgroup");
    if (!cgroups) {
      continue;
    }
    const CgroupOwner owner = OwnerOfCgroup(BestCgroupPath(*cgroups));
    const std::string name = CommandOf(process);
    if (owner.kind == OwnerKind::kPod && name == "pause") {
      // It holds the pod's namespace and has no sockets. A pod of which nothing else is listed is the pod still.
      first = first ? first : std::optional(CgroupOwner{OwnerKind::kPod, owner.pod_uid, {}, {}});
      continue;
    }
    if (!first) {
      first = owner;
      command = name;
    } else if (owner.pod_uid == first->pod_uid && owner.kind == OwnerKind::kPod) {
      several_containers =
          several_containers || (!first->container_id.empty() && owner.container_id != first->container_id);
      first->container_id = owner.container_id;
    }
  }
  if (!first) {
    return {};
  }
  if (first->kind == OwnerKind::kOther) {
    return {command.empty() ? OwnerKind::kOther : OwnerKind::kProcess, {}, command, {}};
  }
  if (several_containers) {
    first->container_id.clear();
  }
  return names.NameOf(*first, now);
}

}  // namespace finwait::kernel::namespaces
