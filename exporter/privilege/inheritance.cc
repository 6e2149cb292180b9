#include "exporter/privilege/inheritance.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>

#include "exporter/privilege/sanitizer.h"

namespace finwait::privilege {
namespace {

constexpr unsigned kFirstPassed = 3;  // SD_LISTEN_FDS_START

// Linux 5.9 has close_range; before, there is one call for each number that there can be.
void Close(unsigned first, unsigned last) {
  if (first > last || ::syscall(SYS_close_range, first, last, 0U) == 0) {
    return;
  }
  const long most = ::sysconf(_SC_OPEN_MAX);
  for (long fd = first; fd <= last && fd < (most > 0 ? most : 1024); ++fd) {
    ::close(static_cast<int>(fd));
  }
}
void CloseFrom(unsigned first) { Close(first, std::numeric_limits<unsigned>::max()); }

}  // namespace

Result<void> LimitDescriptors(unsigned first) {
  const rlimit limit = {first, first};
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return FailErrno("limit the numbers of descriptors", errno);
  }
  return {};
}

void AllowDescriptors(unsigned most) {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < most) {
    limit.rlim_cur = std::min<rlim_t>(most, limit.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

Result<void> RequireDescriptors(unsigned least) {
  AllowDescriptors(least);
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < least) {
    return Fail(FailureReason::kError, "only " + std::to_string(limit.rlim_cur) +
                                           " descriptors are allowed: LimitNOFILE, ulimit -n; it takes at least " +
                                           std::to_string(least));
  }
  return {};
}

void CloseAllBut(int kept) {
  Close(kFirstPassed, static_cast<unsigned>(kept) - 1);
  CloseFrom(static_cast<unsigned>(kept) + 1);
}

Result<void> GiveUpInheritance(unsigned sockets, std::optional<int> kept) {
  unsigned first = kFirstPassed + sockets;
  if (kept && *kept >= static_cast<int>(first)) {
    Close(first, static_cast<unsigned>(*kept) - 1);
    first = static_cast<unsigned>(*kept) + 1;
  }
  CloseFrom(first);
  for (int fd = 0; fd <= STDERR_FILENO; ++fd) {
    // The lowest number that is free is the one asked about, as those below it are taken.
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != fd) {  // NOLINT: it stays open
      return FailErrno("open /dev/null in place of a standard stream that is closed", errno);
    }
  }
  // A leak sanitizer attaches to its own process.
  if (!kHasSanitizer && ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return FailErrno("keep others from reading this process", errno);
  }
  return {};
}

}  // namespace finwait::privilege
