#pragma once

#include <string>

#include "collectors/base/result.h"

namespace finwait::privilege {

struct KeptCapabilities {
  bool net_admin = false;  ///< CAP_NET_ADMIN
  bool bpf = false;        ///< CAP_BPF and CAP_PERFMON (Linux 5.8)
  bool entering = false;   ///< CAP_SYS_ADMIN and CAP_SYS_PTRACE, which it takes to enter others' namespaces
};

/// Gives up for good every capability of the calling thread, except those in `kept` that it holds. Nothing stays
/// inheritable or ambient. The bounding set is reduced alike where that is allowed (it takes CAP_SETPCAP); where it is
/// not, no_new_privs makes it meaningless. Threads started afterwards inherit the result; threads that run already keep
/// what they have, so call it before the first. Where capset() is refused it fails, unless nothing beyond `kept` is
/// held: what is inheritable stays so then, which means nothing under no_new_privs.
Result<void> GiveUpCapabilities(KeptCapabilities kept);

/// Whether this process may reduce its capabilities at all: what confines it already can refuse capset().
bool MayReduceCapabilities();

/// Leaves no capability ambient: a program that this process starts has none then, unless it is root's. Takes no call
/// that a service manager refuses.
Result<void> GiveUpAmbientCapabilities();

/// The capabilities in force for the calling thread, as an operator writes them: "CAP_NET_ADMIN", or "none".
std::string EffectiveCapabilities();

}  // namespace finwait::privilege
