#include "collectors/kernel/namespaces/cgroup_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <memory>
#include <vector>

#include "collectors/kernel/procfs.h"

namespace finwait::kernel::namespaces {
namespace {

// A tree deeper than this is nobody's; the folders open at a time are as many.
constexpr std::size_t kDeepest = 32;
constexpr std::size_t kLongestPath = 4096;

}  // namespace

void CgroupTree::Walk(SteadyClock::time_point now, Deadline deadline) {
  struct Folder {
    std::string path;
    std::size_t depth = 0;
  };
  std::vector<Folder> waiting = {{"", 0}};
  std::size_t walked = 0;
  while (!waiting.empty() && walked < kMost && !deadline.Passed()) {
    const Folder folder = std::move(waiting.back());
    waiting.pop_back();
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir((root_.string() + folder.path).c_str()), &::closedir);
    if (directory == nullptr) {
      continue;  // gone meanwhile, or not for us to see
    }
    ++walked;
    struct stat status = {};
    if (::fstat(::dirfd(directory.get()), &status) == 0 &&
        (paths_.size() < kMost || paths_.find(status.st_ino) != paths_.end())) {
      Known& known = paths_[status.st_ino];
      known.path = folder.path.empty() ? "/" : folder.path;
      known.seen = now;
    }
    while (const dirent* entry = ::readdir(directory.get())) {
      const std::string name = entry->d_name;
      const std::string path = folder.path + "/" + name;
      if (entry->d_type == DT_DIR && name != "." && name != ".." && folder.depth < kDeepest &&
          path.size() <= kLongestPath && waiting.size() < kMost) {
        waiting.push_back({path, folder.depth + 1});
      }
    }
  }
  std::erase_if(paths_, [&](const auto& item) { return now - item.second.seen > kRemembered; });
}

const std::string* CgroupTree::Find(std::uint64_t number) const {
  const auto found = paths_.find(number);
  return found == paths_.end() ? nullptr : &found->second.path;
}

std::optional<std::filesystem::path> FindCgroup2(const std::filesystem::path& procfs) {
  std::optional<std::filesystem::path> root;
  // "DEVICE PATH TYPE OPTIONS 0 0", with a blank in a path as \040: such a path is not where cgroups are.
  (void)ForEachLine(procfs / "thread-self/mounts", Deadline::After(std::chrono::seconds(1)),
                    [&](std::string_view line) -> Result<void> {
                      const std::size_t path = line.find(' ');
                      const std::size_t type = path == std::string_view::npos ? path : line.find(' ', path + 1);
                      if (!root && type != std::string_view::npos && line.substr(type + 1).starts_with("cgroup2 ")) {
                        root = std::string(line.substr(path + 1, type - path - 1));
                      }
                      return {};
                    });
  return root;
}

}  // namespace finwait::kernel::namespaces
