#include "collectors/kernel/conntrack_presence.h"

#include <linux/netlink.h>

#include "collectors/kernel/procfs.h"
#include "collectors/kernel/whole_procfs.h"

namespace finwait::kernel {
namespace {

std::filesystem::path CountFile(const Host& host) { return host.procfs / "sys/net/netfilter/nf_conntrack_count"; }

}  // namespace

bool HasConntrack(const Host& host) {
  const auto entries = ReadProcfsUnsigned(CountFile(host));
  return entries || !IsAbsent(entries.error()) || !RequireWholeProcfs(host);
}

Result<void> RequireConntrack(const Host& host) {
  if (auto whole = RequireWholeProcfs(host); !whole) {
    return whole;
  }
  if (!HasConntrack(host)) {
    return Fail(FailureReason::kUnsupported,
                "conntrack is not in this kernel or not loaded (" + CountFile(host).string() +
                    " does not exist): there is no connection tracking here, so nothing to lose an entry from");
  }
  return RequireFeature(host, kConntrackNetlink, "conntrack entries and statistics");
}

Result<netlink::Channel> OpenConntrack(const Host& host) {
  if (auto present = RequireConntrack(host); !present) {
    return Failure(present.error());
  }
  return host.open_channel(NETLINK_NETFILTER);
}

Error WithConntrackRemedy(Error error) {
  if (error.reason == FailureReason::kPermission) {
    error.message +=
        "; reading conntrack needs CAP_NET_ADMIN: run as root, or give the service AmbientCapabilities=CAP_NET_ADMIN";
  }
  return error;
}

}  // namespace finwait::kernel
