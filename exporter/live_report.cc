#include "exporter/live_report.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <iostream>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "collectors/base/text.h"
#include "collectors/base/unique_fd.h"
#include "collectors/kernel/procfs.h"

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

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR) {
      return false;
    }
    text.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
  }
  return true;
}

std::string ReadAll(int fd) {
  std::string text;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got > 0) {
      text.append(buffer.data(), static_cast<std::size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      return text;
    }
  }
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
  std::array<int, 2> ends = {};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return FailErrno("making a pipe", errno);
  }
  UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) {
    return FailErrno("starting a process", errno);
  }
  if (child == 0) {
    if (::setns(there.Get(), CLONE_NEWNET) != 0) {
      ::_exit(errno);
    }
    // As standard output: the sandbox in which the report is made lets nothing be written elsewhere.
    if (::dup2(to.Get(), STDOUT_FILENO) < 0) {
      ::_exit(errno);
    }
    std::ostringstream report;
    write_report(report);
    std::cerr.flush();
    ::_exit(WriteAll(STDOUT_FILENO, report.str()) ? 0 : EIO);
  }
  to.Reset();
  std::string report = ReadAll(from.Get());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
    auto error = ErrnoError("entering the host's network namespace " + *file, WEXITSTATUS(status));
    return Failure(Error{error.reason, error.errno_code, error.message + kTakeAReport});
  }
  if (report.empty() || !WIFEXITED(status)) {
    return Fail(FailureReason::kError, std::string("the live host could not be read") + kTakeAReport);
  }
  return report;
}

}  // namespace finwait::exporter
