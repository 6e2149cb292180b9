#pragma once

#include <cstdint>
#include <vector>

namespace finwait::privilege {

/// A system call that the filter refused.
struct RefusedCall {
  int number;           ///< of this machine's native table
  std::uint64_t times;  ///< since the filter came into force
};

/// Prepares for the signal that the kernel sends a thread whose call the filter refuses: the call is counted and, to
/// the thread, fails with ENOSYS, as on a kernel that does not have it. Libraries have fallbacks for that, and the
/// service goes on. False where this program does not know how to answer for this machine's processor; the filter then
/// has to refuse by itself, uncounted.
bool CountRefusedCalls();

/// How often calls were refused in all, since the program started. Safe from any thread.
std::uint64_t RefusedCallTotal();

/// The calls refused so far, by number.
std::vector<RefusedCall> RefusedCalls();

}  // namespace finwait::privilege
