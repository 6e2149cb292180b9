#pragma once

#include <cstdint>
#include <cstdlib>

namespace finwait {

/// What an environment variable says by which a test's long form is chosen (FINWAIT_SEED, ...); `otherwise` where there
/// is none.
inline std::uint64_t EnvironmentNumber(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace finwait
