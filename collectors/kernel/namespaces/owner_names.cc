#include "collectors/kernel/namespaces/owner_names.h"

#include <algorithm>

#include "collectors/kernel/procfs.h"

namespace finwait::kernel::namespaces {
namespace {

constexpr auto kAfterAMiss = std::chrono::minutes(1);
constexpr std::size_t kShortId = 12;

// What follows `start` up to the next quote, from `from` on; empty where that is not within kLongestName bytes.
std::string StringAfter(std::string_view text, std::string_view start, std::size_t from = 0) {
  const std::size_t at = text.find(start, from);
  if (at == std::string_view::npos) {
    return {};
  }
  const std::string_view rest = text.substr(at + start.size(), kLongestName + 1);
  const std::size_t end = rest.find('"');
  return end == std::string_view::npos ? std::string() : std::string(rest.substr(0, end));
}

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

}  // namespace

std::string OwnerNames::ReadContainerName(const std::string& id) const {
  // Docker: the container's own file, which says "Name":"/web".
  if (const auto config = ReadSmallFile(paths_.docker / id / "config.v2.json")) {
    std::string name = StringAfter(*config, "\"Name\":\"/");
    if (!name.empty() && std::ranges::all_of(name, IsPlain)) {
      return name;
    }
  }
  // podman: one list of all containers for each storage driver, {"id":"...","names":["web"],...}.
  for (const char* driver : {"overlay-containers", "vfs-containers", "btrfs-containers", "zfs-containers"}) {
    const auto list = ReadSmallFile(paths_.podman / driver / "containers.json");
    const std::size_t at = list ? list->find("\"" + id + "\"") : std::string::npos;
    std::string name = at == std::string::npos ? "" : StringAfter(*list, "\"names\":[\"", at);
    if (!name.empty() && std::ranges::all_of(name, IsPlain)) {
      return name;
    }
  }
  return {};
}

const std::string& OwnerNames::ContainerName(const std::string& id, SteadyClock::time_point now) {
  if (containers_.size() >= kMostRemembered && containers_.find(id) == containers_.end()) {
    containers_.clear();  // of thousands most are gone: those that are there are read again
  }
  const auto [found, is_new] = containers_.try_emplace(id);
  Remembered& remembered = found->second;
  if (is_new || (remembered.name.empty() && now >= remembered.read + kAfterAMiss)) {
    remembered = {ReadContainerName(id), now};
  }
  return remembered.name;
}

Owner OwnerNames::NameOf(const CgroupOwner& owner, SteadyClock::time_point now) {
  Owner named;
  named.kind = owner.kind;
  const std::string short_id = owner.container_id.substr(0, kShortId);
  switch (owner.kind) {
    case OwnerKind::kPod: {
      pods_.Refresh(now, owner.pod_uid);
      const PodName* pod = pods_.Find(owner.pod_uid);
      named.name_space = pod != nullptr ? pod->name_space : "";
      named.name = pod != nullptr ? pod->name : owner.pod_uid;
      const std::string* container = pods_.FindContainer(owner.container_id);
      named.container = container != nullptr ? *container : short_id;
      break;
    }
    case OwnerKind::kContainer: {
      const std::string& name = owner.container_id.empty() ? owner.name : ContainerName(owner.container_id, now);
      named.name = name.empty() ? short_id : name;
      break;
    }
    case OwnerKind::kUnit:
      named.name = owner.name;
      break;
    case OwnerKind::kProcess:
    case OwnerKind::kOther:
      break;
  }
  return named;
}

}  // namespace finwait::kernel::namespaces
