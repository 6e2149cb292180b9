#pragma once

namespace finwait::privilege {

/// Whether this build has a sanitizer, which needs system calls and rights of its own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kHasSanitizer = true;
#else
inline constexpr bool kHasSanitizer = false;
#endif

}  // namespace finwait::privilege
