#include "collectors/kernel/namespaces/pod_names.h"

#include <dirent.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <set>

namespace finwait::kernel::namespaces {
namespace {

constexpr auto kLogTreeAfterAMiss = std::chrono::seconds(5);
constexpr auto kAtTheLatest = std::chrono::minutes(5);

bool IsName(std::string_view text, bool dots) {
  constexpr std::size_t kLongest = 253;
  return !text.empty() && text.size() <= kLongest && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || (dots && c == '.');
  });
}

bool IsUid(std::string_view text) {
  return (text.size() == 36 || text.size() == 32) &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-'; });
}

void ForEachName(const std::filesystem::path& folder, std::size_t most,
                 const std::function<void(std::string_view)>& visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(folder.c_str()), &::closedir);
  if (directory == nullptr) {
    return;  // no kubelet here, or its logs are elsewhere: then pods have their UID for a name
  }
  for (std::size_t read = 0; read < most; ++read) {
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) {
      return;
    }
    visit(entry->d_name);
  }
}

}  // namespace

std::optional<std::pair<std::string, PodName>> ParsePodFolder(std::string_view folder) {
  const std::size_t first = folder.find('_');
  const std::size_t last = folder.rfind('_');
  if (first == std::string_view::npos || last == first) {
    return std::nullopt;
  }
  const std::string_view name_space = folder.substr(0, first);
  const std::string_view name = folder.substr(first + 1, last - first - 1);
  const std::string_view uid = folder.substr(last + 1);
  if (!IsName(name_space, false) || !IsName(name, true) || !IsUid(uid)) {
    return std::nullopt;
  }
  return std::pair(std::string(uid), PodName{std::string(name_space), std::string(name)});
}

void PodNames::Read() {
  pods_.clear();
  containers_.clear();
  // Two names for one UID: nothing tells which is the pod's. The same of containers.
  std::set<std::string> ambiguous;
  ForEachName(pod_logs_, 2 * kMostPods, [&](std::string_view folder) {
    auto pod = ParsePodFolder(folder);
    if (pod && pods_.contains(pod->first)) {
      ambiguous.insert(std::move(pod->first));
    } else if (pod && pods_.size() < kMostPods) {
      pods_.emplace(std::move(pod->first), std::move(pod->second));
    }
  });
  // POD_NAMESPACE_CONTAINER-ID.log
  ForEachName(pod_logs_.parent_path() / "containers", 16 * kMostPods, [&](std::string_view link) {
    constexpr std::size_t kIdAndSuffix = 1 + 64 + 4;
    if (!link.ends_with(".log") || link.size() <= kIdAndSuffix) {
      return;
    }
    const std::string_view id = link.substr(link.size() - 68, 64);
    const std::string_view before = link.substr(0, link.size() - kIdAndSuffix);
    const std::size_t name = before.rfind('_');
    if (name == std::string_view::npos || !IsName(before.substr(name + 1), false)) {
      return;
    }
    if (containers_.contains(id)) {
      ambiguous.insert(std::string(id));
    } else if (containers_.size() < 4 * kMostPods) {
      containers_.emplace(std::string(id), std::string(before.substr(name + 1)));
    }
  });
  for (const std::string& id : ambiguous) {
    pods_.erase(id);
    containers_.erase(id);
  }
}

void PodNames::Refresh(SteadyClock::time_point now, std::string_view wanted_uid) {
  const auto wait = pods_.find(wanted_uid) == pods_.end() ? SteadyClock::duration(kLogTreeAfterAMiss)
                                                          : SteadyClock::duration(kAtTheLatest);
  if (!read_at_ || now >= *read_at_ + wait) {
    Read();
    read_at_ = now;
  }
}

const PodName* PodNames::Find(std::string_view uid) const {
  const auto found = pods_.find(uid);
  return found == pods_.end() ? nullptr : &found->second;
}

const std::string* PodNames::FindContainer(std::string_view id) const {
  const auto found = containers_.find(id);
  return found == containers_.end() ? nullptr : &found->second;
}

}  // namespace finwait::kernel::namespaces
