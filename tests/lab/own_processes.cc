#include "tests/lab/own_processes.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace finwait::lab {
namespace {

[[noreturn]] void Throw(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

// Returns in a child. Here, waits for it and whatever it leaves behind, and ends as it did.
void GoOnInAChild() {
  const pid_t child = ::fork();
  if (child < 0) {
    Throw("start a process for the tests");
  }
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    return;
  }
  while (true) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended == child) {
      ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    if (ended < 0 && errno != EINTR) {
      ::_exit(1);
    }
  }
}

}  // namespace

void SeeOwnProcessesOnly() {
  if (::unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) {
    Throw("make process and mount namespaces for the tests");
  }
  GoOnInAChild();
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    Throw("mount the tests' own /proc");
  }
  // Signals without a handler do not reach the first process of a namespace: it only reaps, the tests run in its child.
  GoOnInAChild();
}

}  // namespace finwait::lab
