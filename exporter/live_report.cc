#include "exporter/live_report.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "collectors/base/text.h"
#include "collectors/base/unique_fd.h"
#include "collectors/kernel/procfs.h"
#include "exporter/child_output.h"

namespace finwait::exporter {
namespace {

constexpr const char* kTakeAReport =
    "; take the host's report there, with `finwait_exporter check --format=json`, and give it as --against=REPORT";

// The parent of a process: the fourth field of its stat, the second of which may hold anything.
std::optional<pid_t> ParentOf(pid_t process) {
  const auto stat = kernel::ReadSmallFile("/proc/" + std::to_string(process) + "/stat");
  const std::size_t name_end = stat ? stat->rfind(") ") : std::string::npos;
  if (name_end == std::string::npos) {
    return std::nullopt;
  }
  const std::string_view rest = std::string_view(*stat).substr(name_end + 4);  // ") S "
  return ParseNumber<pid_t>(rest.substr(0, rest.find(' ')));
}

// The namespace's file of the nearest process above this one that is in another network namespace.
std::optional<std::string> NamespaceAbove() {
  std::error_code failed;
  const auto own = std::filesystem::read_symlink("/proc/self/ns/net", failed);
  constexpr int kMostProcesses = 256;
  auto process = std::optional(::getppid());
  for (int i = 0; i < kMostProcesses && process && *process > 0; ++i) {
    const std::string file = "/proc/" + std::to_string(*process) + "/ns/net";
    const auto other = std::filesystem::read_symlink(file, failed);
    if (!failed && other != own) {
      return file;
    }
    process = ParentOf(*process);
  }
  return std::nullopt;
}

}  // namespace

Result<std::string> ReadLiveReport(const std::function<int(std::ostream& out)>& write_report) {
  const auto file = NamespaceAbove();
  if (!file) {
    return Fail(FailureReason::kUnsupported,
                std::string("--against=live found no process above this one that is in another network namespace, and "
                            "so no host") +
                    kTakeAReport);
  }
  const UniqueFd there(::open(file->c_str(), O_RDONLY | O_CLOEXEC));
  if (!there) {
    auto error = ErrnoError("opening the host's network namespace " + *file, errno);
    return Failure(Error{error.reason, error.errno_code, error.message + kTakeAReport});
  }
  int refused = 0;
  auto report = OutputOfChild(
      [&](std::ostream& out) {
        if (::setns(there.Get(), CLONE_NEWNET) != 0) {
          return errno;
        }
        write_report(out);
        return 0;
      },
      &refused);
  if (refused != 0) {
    auto error = ErrnoError("entering the host's network namespace " + *file, refused);
    return Failure(Error{error.reason, error.errno_code, error.message + kTakeAReport});
  }
  if (!report || report->empty()) {
    return Fail(FailureReason::kError, std::string("the live host could not be read") + kTakeAReport);
  }
  return report;
}

}  // namespace finwait::exporter
