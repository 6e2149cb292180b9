#include "exporter/views/wall_time.h"

#include <ctime>

namespace finwait::views {

std::string Rfc3339(scheduling::WallClock::time_point time) {
  const std::time_t seconds = scheduling::WallClock::to_time_t(time);
  std::tm broken_down = {};
  ::gmtime_r(&seconds, &broken_down);
  char text[32] = {};
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &broken_down);
  return text;
}

}  // namespace finwait::views
