#include "collectors/kernel/namespaces/namespace_owner.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "collectors/kernel/namespaces/process_census.h"
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

// Adds what a process's cgroup says to what others' of its namespace have said: only what tells most is kept.
void TakeIn(CgroupOwner owner, std::vector<CgroupOwner>& owners) {
  if (!owners.empty() && owner.kind < owners.front().kind) {
    owners.clear();
  }
  const bool tells = owners.empty() || owner.kind == owners.front().kind;
  if (tells && std::ranges::find(owners, owner) == owners.end()) {
    owners.push_back(std::move(owner));
  }
}

// Those of one pod are that pod, of which no container is named where there are several.
void JoinPods(bool may_be_more, std::vector<CgroupOwner>& owners) {
  std::map<std::string, std::set<std::string>> containers;
  for (const CgroupOwner& owner : owners) {
    std::set<std::string>& of_pod = containers[owner.pod_uid];
    if (!owner.container_id.empty()) {
      of_pod.insert(owner.container_id);
    }
  }
  owners.clear();
  for (const auto& [uid, of_pod] : containers) {
    owners.push_back({OwnerKind::kPod, uid, of_pod.size() == 1 && !may_be_more ? *of_pod.begin() : "", {}});
  }
}

// "web", "api or web", "api, db, web or others".
std::string Alternatives(const std::set<std::string>& names) {
  constexpr std::size_t kMostNamed = 3;
  std::string text;
  std::size_t named = 0;
  for (const std::string& name : names) {
    const bool is_last = named + 1 == names.size() || named == kMostNamed;
    text += (named == 0 ? "" : is_last ? " or " : ", ") + (named == kMostNamed ? "others" : name);
    if (named++ == kMostNamed) {
      break;
    }
  }
  return text.substr(0, kLongestName);
}

}  // namespace

Owner OwnerOfProcesses(const std::filesystem::path& procfs, std::span<const std::uint32_t> processes, OwnerNames& names,
                       SteadyClock::time_point now) {
  std::vector<CgroupOwner> owners;
  std::string command;
  for (const std::uint32_t pid : processes) {
    const std::filesystem::path process = procfs / std::to_string(pid);
    const auto cgroups = ReadSmallFile(process / "cgroup");
    if (!cgroups) {
      continue;
    }
    CgroupOwner owner = OwnerOfCgroup(BestCgroupPath(*cgroups));
    const std::string name = CommandOf(process);
    command = command.empty() ? name : command;
    if (owner.kind == OwnerKind::kPod && name == "pause") {
      owner.container_id.clear();  // it holds the pod's namespace and has no sockets
    }
    TakeIn(std::move(owner), owners);
  }
  if (owners.empty() || owners.front().kind == OwnerKind::kOther) {
    return {command.empty() ? OwnerKind::kOther : OwnerKind::kProcess, {}, command, {}};
  }
  if (owners.front().kind == OwnerKind::kPod) {
    JoinPods(processes.size() >= InhabitedNamespace::kMostListed, owners);
  }
  Owner owner = names.NameOf(owners.front(), now);
  if (owners.size() == 1) {
    return owner;
  }
  std::set<std::string> alternatives;
  std::set<std::string> name_spaces;
  for (const CgroupOwner& one : owners) {
    const Owner named = names.NameOf(one, now);
    alternatives.insert(named.name);
    name_spaces.insert(named.name_space);
  }
  return {owner.kind, name_spaces.size() == 1 ? owner.name_space : "", Alternatives(alternatives), {}};
}

}  // namespace finwait::kernel::namespaces
