#pragma once

#include <string>

#include "collectors/base/result.h"

namespace finwait::privilege {

struct KeptCapabilities {
  bool net_admin = false;  ///< CAP_NET_ADMIN
};

/// Gives up for good every capability of the calling thread, except those in `kept` that it holds. Nothing stays
/// inheritable or ambient. The bounding set is reduced alike where that is allowed (it takes CAP_SETPCAP); where it is
/// not, no_new_privs makes it meaningless. Threads started afterwards inherit the result; threads that run already keep
/// what they have, so call it before the first.
Result<void> GiveUpCapabilities(KeptCapabilities kept);

/// The capabilities in force for the calling thread, as an operator writes them: "CAP_NET_ADMIN", or "none".
std::string EffectiveCapabilities();

}  // namespace finwait::privilege
