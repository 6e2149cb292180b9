#include "exporter/child_output.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <iostream>
#include <sstream>
#include <string_view>

#include "collectors/base/unique_fd.h"

namespace finwait::exporter {
namespace {

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

Result<std::string> OutputOfChild(const std::function<int(std::ostream& out)>& write, int* refused) {
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
    // As standard output: a sandbox in which `write` works lets nothing be written elsewhere.
    if (::dup2(to.Get(), STDOUT_FILENO) < 0) {
      ::_exit(errno);
    }
    std::ostringstream text;
    if (const int error = write(text); error != 0) {
      ::_exit(error);
    }
    std::cerr.flush();
    ::_exit(WriteAll(STDOUT_FILENO, text.str()) ? 0 : EIO);
  }
  to.Reset();
  std::string text = ReadAll(from.Get());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status)) {
    return Fail(FailureReason::kError, "a process of this program has ended by a signal");
  }
  *refused = WEXITSTATUS(status);
  return text;
}

}  // namespace finwait::exporter
