#pragma once

#include <optional>
#include <string>

#include "collectors/base/result.h"
#include "exporter/privilege/capabilities.h"

/// What the program gives up, for good, before it works: in the order of these two functions, and before its first
/// thread.
namespace finwait::privilege {

/// Gives up capabilities, and the power to gain new ones (no_new_privs). To be called once all listening sockets are
/// there: a port below 1024 takes a capability. Returns what is left, as EffectiveCapabilities has it.
Result<std::string> GiveUpPrivileges(KeptCapabilities kept);

struct CallSettings {
  bool wanted = true;               ///< --[no-]sandbox.seccomp
  bool to_service_manager = false;  ///< there is a service manager to tell
};

/// Gives up system calls (call_filter.h). To be called once everything is loaded: neither a library nor a resolver of
/// host names works afterwards. Returns why calls stay unfiltered, nothing where they do not: it was not wanted, the
/// kernel cannot, or a sanitizer in this build needs calls of its own.
std::optional<std::string> FilterCalls(CallSettings settings);

}  // namespace finwait::privilege
