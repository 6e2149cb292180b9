#include "exporter/views/metrics/boot_time.h"

#include <fstream>
#include <string>

#include "collectors/base/text.h"

namespace finwait::views::metrics {

std::optional<double> BootTime() {
  constexpr std::string_view kKey = "btime ";
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kKey)) {
      return ParseNumber<double>(std::string_view(line).substr(kKey.size()));
    }
  }
  return std::nullopt;
}

}  // namespace finwait::views::metrics
