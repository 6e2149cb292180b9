#include "exporter/report/phrases.h"

namespace finwait::report {

std::string Lasting(double seconds) {
  const ReadableDuration duration = InReadableUnit(seconds);
  return std::to_string(duration.number) + " " + std::string(duration.unit);
}

std::string KernelName(kernel::TcpState state) { return UpperCase(Name(state)); }

}  // namespace finwait::report
