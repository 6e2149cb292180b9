#include "collectors/conntrack_presence.h"

#include "collectors/procfs.h"

namespace finwait {

Result<void> RequireConntrack(const Host& host) {
  const std::filesystem::path count = host.procfs / "sys/net/netfilter/nf_conntrack_count";
  if (auto entries = ReadProcfsUnsigned(count); !entries && IsAbsent(entries.error())) {
    return Fail(FailureReason::kUnsupported,
                "conntrack is not in this kernel or not loaded (" + count.string() +
                    " does not exist): there is no connection tracking here, so nothing to lose an entry from");
  }
  return {};
}

Error WithConntrackRemedy(Error error) {
  if (error.reason == FailureReason::kPermission) {
    error.message +=
        "; reading conntrack needs CAP_NET_ADMIN: run as root, or give the service AmbientCapabilities=CAP_NET_ADMIN";
  }
  return error;
}

}  // namespace finwait
