#pragma once

#include <cstddef>
#include <span>

#include "collectors/firewall/model/expression.h"

namespace finwait::firewall::xt {

/// A structure as the kernel would send it.
template <typename T>
Value InfoOf(const T& structure) {
  const auto bytes = std::as_bytes(std::span(&structure, 1));
  return {bytes.begin(), bytes.end()};
}

}  // namespace finwait::firewall::xt
