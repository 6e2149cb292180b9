#include "collectors/kernel/procfs.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "collectors/base/text.h"
#include "collectors/base/unique_fd.h"

namespace finwait::kernel {
namespace {

// O_NONBLOCK means nothing to procfs; it keeps a FIFO under a misconfigured --path.procfs from holding us for ever.
Result<UniqueFd> OpenForReading(const std::filesystem::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) {
    return FailErrno("open " + path.string(), errno);
  }
  return fd;
}

// At most `size` bytes; 0 at the end of the file.
Result<std::size_t> ReadSome(const UniqueFd& fd, const std::filesystem::path& path, char* buffer, std::size_t size) {
  for (;;) {
    const ssize_t got = ::read(fd.Get(), buffer, size);
    if (got >= 0) {
      return static_cast<std::size_t>(got);
    }
    if (errno != EINTR) {
      return FailErrno("read " + path.string(), errno);
    }
  }
}

}  // namespace

Result<std::string> ReadSmallFile(const std::filesystem::path& path) {
  auto fd = OpenForReading(path);
  if (!fd) {
    return Failure(fd.error());
  }
  std::string content;
  std::array<char, 4096> buffer;
  for (;;) {
    const auto got = ReadSome(*fd, path, buffer.data(), buffer.size());
    if (!got) {
      return Failure(got.error());
    }
    if (*got == 0) {
      return content;
    }
    content.append(buffer.data(), *got);
    if (content.size() > kProcfsReadLimit) {
      return Fail(FailureReason::kError,
                  "read " + path.string() + ": larger than " + std::to_string(kProcfsReadLimit) + " bytes");
    }
  }
}

Result<void> ForEachLine(const std::filesystem::path& path, Deadline deadline,
                         const std::function<Result<void>(std::string_view line)>& visit) {
  auto fd = OpenForReading(path);
  if (!fd) {
    return Failure(fd.error());
  }
  std::string line;  // the start of a line whose end has not been read yet
  std::array<char, 16 * 1024> buffer;
  for (;;) {
    if (deadline.Passed()) {
      return Fail(FailureReason::kTimeout, "read " + path.string() + ": not finished within the deadline");
    }
    const auto got = ReadSome(*fd, path, buffer.data(), buffer.size());
    if (!got) {
      return Failure(got.error());
    }
    if (*got == 0) {
      return line.empty() ? Result<void>() : visit(line);
    }
    std::string_view rest(buffer.data(), *got);
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      line += rest.substr(0, end);
      if (line.size() > kProcfsReadLimit) {
        return Fail(FailureReason::kError,
                    "read " + path.string() + ": a line longer than " + std::to_string(kProcfsReadLimit) + " bytes");
      }
      if (end == std::string_view::npos) {
        break;
      }
      if (auto visited = visit(line); !visited) {
        return visited;
      }
      line.clear();
      rest.remove_prefix(end + 1);
    }
  }
}

Result<std::uint64_t> ReadProcfsUnsigned(const std::filesystem::path& path, std::uint64_t maximum) {
  const auto content = ReadSmallFile(path);
  if (!content) {
    return Failure(content.error());
  }
  std::string_view text = *content;
  if (text.ends_with('\n')) {
    text.remove_suffix(1);
  }
  const auto number = ParseNumber<std::uint64_t>(text);
  if (!number || *number > maximum) {
    return Fail(FailureReason::kError,
                path.string() + " holds " + Quoted(text) + ", not a whole number from 0 to " + std::to_string(maximum));
  }
  return *number;
}

bool IsAbsent(const Error& error) { return error.errno_code == ENOENT; }

}  // namespace finwait::kernel
