#pragma once

#include <optional>
#include <string>

#include "collectors/base/result.h"
#include "exporter/privilege/allowed_calls.h"
#include "exporter/privilege/capabilities.h"

/// What the program gives up, for good, before it works: in the order of these two functions, and before its first
/// thread.
namespace finwait::privilege {

/// Gives up capabilities, and the power to gain new ones (no_new_privs). To be called once all listening sockets are
/// there: a port below 1024 takes a capability. Returns what is left, as EffectiveCapabilities has it.
Result<std::string> GiveUpPrivileges(KeptCapabilities kept);

/// Gives up system calls (call_filter.h). To be called once everything is loaded: neither a library nor a resolver of
/// host names works afterwards, and sockets of the families it leaves out have to be there. Returns why calls stay
/// unfiltered, nothing where they do not: it is not `wanted` (--no-sandbox.seccomp), the kernel cannot, or a sanitizer
/// in this build needs calls of its own.
std::optional<std::string> FilterCalls(bool wanted, const Work& work);

}  // namespace finwait::privilege
