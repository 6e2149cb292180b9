#include "collectors/kernel/host.h"

#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <string>

#include "collectors/kernel/netlink/event_socket.h"
#include "collectors/kernel/whole_procfs.h"

namespace finwait::kernel {

Result<void> RequireFeature(const Host& host, const KernelFeature& feature, std::string_view what) {
  const FeatureState state = host.find_feature(feature);
  if (state == FeatureState::kSafeToAsk) {
    return {};
  }
  if (state == FeatureState::kUnknown) {
    if (auto whole = RequireWholeProcfs(host); !whole) {
      return whole;
    }
  }
  const std::string module(feature.module);
  std::string sentence(what);
  sentence += state == FeatureState::kAbsent
                  ? " are not asked for, as that would make the kernel load its module " + module +
                        ", and looking changes nothing: load it with `modprobe " + module + "`"
                  : " are not asked for, as nothing tells whether that would make the kernel load its module " +
                        module + ": load it with `modprobe " + module +
                        "`, and make /proc/modules or /sys/module readable";
  return Fail(FailureReason::kUnsupported, sentence + " (at every boot: by its name in /etc/modules-load.d/)");
}

Result<Host> OpenHost(const std::filesystem::path& procfs) {
  struct stat status = {};
  // Not self/ns/net: that is the namespace of the process's first thread.
  const std::filesystem::path own_namespace = procfs / "thread-self/ns/net";
  if (::stat(own_namespace.c_str(), &status) != 0) {
    const int why = errno;
    if (why == ENOENT && ::stat((procfs / "1").c_str(), &status) == 0) {
      return Fail(FailureReason::kUnsupported,
                  "--path.procfs=" + procfs.string() +
                      " is the procfs of a PID namespace in which this process is not: mount there the host's");
    }
    Error error = ErrnoError("--path.procfs=" + procfs.string() + ": cannot read thread-self/ns/net there", why);
    error.message += "; give the directory where procfs is mounted, such as /proc";
    return Failure(std::move(error));
  }
  Host host;
  host.network_namespace = NamespaceId{status.st_ino};
  host.procfs = procfs;
  host.open_channel = &netlink::Channel::Open;
  host.open_events = &netlink::EventSocket::Open;
  auto features = std::make_shared<KernelFeatures>(KernelFeatures::Paths{procfs, "/sys", "/lib/modules", "/boot", ""});
  host.find_feature = [features](const KernelFeature& feature) { return features->Find(feature); };
  return host;
}

}  // namespace finwait::kernel
