#include "exporter/bpf_process.h"

#include "collectors/kernel/host.h"
#include "exporter/privilege/capabilities.h"
#include "exporter/privilege/file_domain.h"

namespace finwait::exporter {

Result<std::uint64_t> PrepareToLoad(const command_line::Options& options) {
  if (const auto reduced = privilege::GiveUpCapabilities({.bpf = true}); !reduced) {
    return Failure(reduced.error());
  }
  const auto host = kernel::OpenHost(options.procfs);
  if (!host) {
    return Failure(host.error());
  }
  return host->network_namespace.inode;
}

Result<void> ConfineLoaded(const command_line::Options& options, privilege::Role role) {
  if (const auto given_up = privilege::GiveUpPrivileges({}); !given_up) {
    return Failure(given_up.error());
  }
  (void)privilege::FileDomain::Enter({});  // a kernel without Landlock leaves it what its user may read
  (void)privilege::FilterCalls(options.filter_calls, {.role = role});
  return {};
}

}  // namespace finwait::exporter
