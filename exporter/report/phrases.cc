#include "exporter/report/phrases.h"

#include <algorithm>
#include <cmath>

namespace finwait::report {

std::string Counted(std::uint64_t number, std::string_view one, std::string_view many) {
  return std::to_string(number) + " " + std::string(number == 1 ? one : many);
}

std::string Lasting(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::lround(seconds));
  if (whole < 120) {
    return std::to_string(whole) + " s";
  }
  if (whole < 2 * 3600) {
    return std::to_string(whole / 60) + " min";
  }
  return whole < 2 * 86400 ? std::to_string(whole / 3600) + " h" : std::to_string(whole / 86400) + " d";
}

std::string UpperCase(std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char letter) {
    return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
  });
  return upper;
}

std::string KernelName(kernel::TcpState state) { return UpperCase(Name(state)); }

}  // namespace finwait::report
