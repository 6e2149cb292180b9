#include "exporter/privilege/sandbox.h"

#include <sys/prctl.h>

#include <cerrno>

#include "exporter/privilege/call_filter.h"
#include "exporter/privilege/sanitizer.h"

namespace finwait::privilege {
Result<std::string> GiveUpPrivileges(KeptCapabilities kept) {
  if (auto given_up = GiveUpCapabilities(kept); !given_up) {
    return Failure(given_up.error());
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return FailErrno("set no_new_privs", errno);
  }
  return EffectiveCapabilities();
}

std::optional<std::string> FilterCalls(bool wanted, const Work& work) {
  if (!wanted) {
    return "--no-sandbox.seccomp was given";
  }
  if (kHasSanitizer) {
    return "this build has a sanitizer, which needs system calls of its own";
  }
  const auto installed = InstallCallFilter(work);
  return installed ? std::nullopt : std::optional(installed.error().message);
}

}  // namespace finwait::privilege
