#include "collectors/kernel/namespaces/multipath.h"

#include "collectors/kernel/namespaces/counter_lines.h"

namespace finwait::kernel::namespaces {

bool MayBeMultipath(std::string_view netstat) {
  bool agreed = false;
  bool open = true;  // a kernel that does not count them
  VisitCounters(netstat, "MPTcpExt:", [&](std::string_view name, std::string_view value) {
    if (name == "MPCapableSYNACKRX" || name == "MPCapableACKRX") {
      agreed = agreed || value != "0";
    } else if (name == "MPCurrEstab") {
      open = value != "0";
    }
  });
  return agreed && open;
}

}  // namespace finwait::kernel::namespaces
