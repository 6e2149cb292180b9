#pragma once

#include <string>

namespace finwait::kernel::namespaces {

/// A container's and a pod's, as in the paths of their control groups.
inline const std::string kId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
inline const std::string kUid = "6c3a4f0e-2d1b-4b7c-9f21-8a5d4e3c2b1a";

}  // namespace finwait::kernel::namespaces
