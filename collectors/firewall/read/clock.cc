#include "collectors/firewall/read/clock.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>

namespace finwait::firewall::read {

facts::Clock ReadClock() {
  facts::Clock clock;
  clock.seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  // The C library's gettimeofday() tells no time zone any more (glibc 2.31); the kernel's own does. Its struct
  // timezone: minutes west of Greenwich, and what nobody uses.
  struct {
    int minutes_west = 0;
    int unused = 0;
  } zone;
  if (syscall(SYS_gettimeofday, nullptr, &zone) == 0) {
    clock.minutes_west = zone.minutes_west;
  }
  return clock;
}

}  // namespace finwait::firewall::read
