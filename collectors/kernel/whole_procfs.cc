#include "collectors/kernel/whole_procfs.h"

#include <string>
#include <system_error>

namespace finwait::kernel {

Result<void> RequireWholeProcfs(const Host& host) {
  std::error_code ignored;
  const std::filesystem::path settings = host.procfs / "sys/net";  // in every kernel with a network and sysctls
  if (std::filesystem::exists(settings, ignored)) {
    return {};
  }
  return Fail(FailureReason::kError,
              settings.string() + " is not there, so what this kernel has cannot be told: mount all of procfs at " +
                  host.procfs.string() + ", without subset=pid (of systemd: ProcSubset=all)");
}

}  // namespace finwait::kernel
