#include "collectors/sources/network_namespaces.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <string>
#include <unordered_set>

namespace finwait::sources {
namespace {

bool IsProcess(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

// PROC_PID_INIT_INO: the inode of the machine's first PID namespace, fixed in the kernel.
constexpr std::uint64_t kInitialPidNamespace = 0xEFFFFFFC;

// Whether procfs lists every process of the machine: it is of the first PID namespace, and does not hide process 1,
// which is another user's unless that is root.
bool ListsEveryProcess(int procfs) {
  struct stat status = {};
  return ::fstatat(procfs, "self/ns/pid", &status, 0) == 0 && status.st_ino == kInitialPidNamespace &&
         ::fstatat(procfs, "1", &status, 0) == 0;
}

}  // namespace

Result<Collected> NetworkNamespacesCollector::Collect(Deadline deadline) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(host_.procfs.c_str()), &::closedir);
  if (directory == nullptr) {
    return FailErrno("list processes in " + host_.procfs.string(), errno);
  }
  auto sample = std::make_shared<NetworkNamespacesSample>();
  sample->complete = ListsEveryProcess(::dirfd(directory.get()));
  std::unordered_set<std::uint64_t> others;
  while (const dirent* process = ::readdir(directory.get())) {
    if (!IsProcess(process->d_name)) {
      continue;
    }
    if (deadline.Passed()) {
      sample->complete = false;
      break;
    }
    const std::string link = std::string(process->d_name) + "/ns/net";
    struct stat status = {};
    if (::fstatat(::dirfd(directory.get()), link.c_str(), &status, 0) != 0) {
      // One that has ended meanwhile, or is a zombie, has no namespace and no sockets.
      sample->unreadable += errno == EACCES || errno == EPERM ? 1 : 0;
      continue;
    }
    if (status.st_ino != host_.network_namespace.inode) {
      ++sample->processes_elsewhere;
      if (others.size() < NetworkNamespacesSample::kMostNamespaces) {
        others.insert(status.st_ino);
      }
    }
  }
  sample->unseen = others.size();
  return Collected{std::move(sample), {}};
}

}  // namespace finwait::sources
