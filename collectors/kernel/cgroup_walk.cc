#include "collectors/kernel/cgroup_walk.h"

#include <dirent.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "collectors/base/text.h"
#include "collectors/kernel/procfs.h"

namespace finwait::kernel {
namespace {

// A tree deeper than this is nobody's.
constexpr std::size_t kDeepest = 32;

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

}  // namespace

Result<std::string> FindCgroup2(const std::filesystem::path& procfs, Deadline deadline) {
  std::string found;
  // "34 25 0:29 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw", with a blank in a path as \040: such a path is not
  // where cgroups are.
  const auto path = procfs / "thread-self/mountinfo";
  const auto read = ForEachLine(path, deadline, [&](std::string_view line) {
    Words words(line);
    for (int identity = 0; identity < 3; ++identity) {
      words.Next();
    }
    const std::string_view root = words.Next();
    const std::string_view place = words.Next();
    std::string_view word = words.Next();
    while (!word.empty() && word != "-") {
      word = words.Next();
    }
    if (words.Next() == "cgroup2" && root == "/" && found.empty()) {
      found = place;
    }
    return Result<void>();
  });
  if (!read) {
    return Failure(read.error());
  }
  if (found.empty()) {
    return Fail(FailureReason::kUnsupported, "no mount of cgroup v2 from its root is in " + path.string());
  }
  return found;
}

bool WalkCgroups(const std::string& root, Deadline deadline, const std::function<bool(const WalkedCgroup&)>& visit) {
  struct Folder {
    std::uint64_t number = 0;
    std::string path;  // "" for the root
    std::size_t depth = 0;
  };
  struct stat status = {};
  if (::stat(root.c_str(), &status) != 0 || !visit({status.st_ino, 0, "", "/"})) {
    return false;
  }
  std::vector<Folder> waiting = {{status.st_ino, "", 0}};
  while (!waiting.empty()) {
    const Folder folder = std::move(waiting.back());
    waiting.pop_back();
    const std::unique_ptr<DIR, CloseFolder> directory(::opendir((root + folder.path).c_str()));
    if (directory == nullptr || folder.depth == kDeepest) {
      continue;  // gone meanwhile, or not for us to see
    }
    while (const dirent* entry = ::readdir(directory.get())) {
      const std::string name = entry->d_name;
      if (entry->d_type != DT_DIR || name == "." || name == "..") {
        continue;
      }
      const std::string path = folder.path + "/" + name;
      if (deadline.Passed() || !visit({entry->d_ino, folder.number, name, path})) {
        return false;
      }
      waiting.push_back({entry->d_ino, path, folder.depth + 1});
    }
  }
  return true;
}

}  // namespace finwait::kernel
