#include "tests/lab/kernel_version.h"

#include <sys/utsname.h>

#include <cstdio>
#include <stdexcept>
#include <utility>

namespace finwait::lab {

bool KernelIsAtLeast(int major, int minor) {
  utsname kernel = {};
  int running_major = 0;
  int running_minor = 0;
  if (::uname(&kernel) != 0 || std::sscanf(kernel.release, "%d.%d", &running_major, &running_minor) != 2) {
    throw std::runtime_error("which kernel this is");
  }
  return std::pair(running_major, running_minor) >= std::pair(major, minor);
}

}  // namespace finwait::lab
