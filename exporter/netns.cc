#include "exporter/netns.h"

#include <sys/stat.h>

#include <utility>

namespace finwait::exporter {

Result<std::optional<kernel::namespaces::NamedNamespace>> FindNetns(const command_line::Options& options) {
  if (options.netns.empty()) {
    return std::nullopt;
  }
  kernel::namespaces::NamespacePaths paths;
  paths.procfs = options.procfs;
  paths.names.pod_logs = options.pod_logs;
  auto found = kernel::namespaces::FindNamespace(paths, options.netns);
  if (!found) {
    return Failure(found.error());
  }
  if (auto is_one = kernel::namespaces::RequireNetwork(*found); !is_one) {
    return Failure(is_one.error());
  }
  struct stat there = {};
  struct stat own = {};
  const std::filesystem::path own_file = options.procfs / "thread-self/ns/net";
  if (::fstat(found->file.Get(), &there) == 0 && ::stat(own_file.c_str(), &own) == 0 && there.st_ino == own.st_ino &&
      there.st_dev == own.st_dev) {
    return std::nullopt;
  }
  return std::optional(std::move(*found));
}

}  // namespace finwait::exporter
