#include "exporter/privilege/inheritance.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "exporter/privilege/sanitizer.h"

namespace finwait::privilege {
namespace {

// The exit code of `action` in a child process.
int ExitOfChild(const std::function<int()>& action) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::_exit(action());
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool IsOpen(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

std::string TargetOf(int fd) {
  char target[256] = {};
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return ::readlink(path.c_str(), target, sizeof target - 1) > 0 ? target : "";
}

TEST(Inheritance, WhatWasLeftOpenIsClosedAndWhatWasPassedIsNot) {
  const int wrong = ExitOfChild([] {
    for (const int fd : {3, 4, 5, 9, 200}) {
      ::dup2(::open("/", O_RDONLY | O_DIRECTORY), fd);
    }
    if (!GiveUpInheritance(2)) {
      return 100;
    }
    return (IsOpen(3) && IsOpen(4) ? 0 : 1) + (IsOpen(5) || IsOpen(9) || IsOpen(200) ? 2 : 0);
  });
  EXPECT_EQ(wrong, 0);
}

TEST(Inheritance, AStandardStreamThatIsClosedBecomesDevNull) {
  for (int closed = 0; closed < 8; ++closed) {
    const int wrong = ExitOfChild([closed] {
      const int file = ::open("/proc/self/status", O_RDONLY);
      for (int fd = 0; fd < 3; ++fd) {
        ::dup2(file, fd);
      }
      for (int fd = 0; fd < 3; ++fd) {
        if ((closed >> fd) % 2 == 1) {
          ::close(fd);
        }
      }
      if (!GiveUpInheritance(0)) {
        return 100;
      }
      int wrong_ones = 0;
      for (int fd = 0; fd < 3; ++fd) {
        wrong_ones += (TargetOf(fd) == "/dev/null") != ((closed >> fd) % 2 == 1);
      }
      return wrong_ones;
    });
    EXPECT_EQ(wrong, 0) << closed;
  }
}

TEST(Inheritance, TheProcessIsNotDumpable) {
  if (kHasSanitizer) {
    GTEST_SKIP() << "a leak sanitizer attaches to its own process";
  }
  EXPECT_EQ(ExitOfChild([] { return GiveUpInheritance(0) ? ::prctl(PR_GET_DUMPABLE) : 100; }), 0);
}

}  // namespace
}  // namespace finwait::privilege
