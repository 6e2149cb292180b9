#pragma once

#include <cstdint>

#include "collectors/firewall/xt/extension.h"

/// A made-up family of extensions: `-m warp --port N` matches what goes to port N, `-j WARP --mark N` marks.
namespace finwait::firewall::xt {

struct WarpMatchInfo {
  std::uint16_t port = 0;
};
struct WarpTargetInfo {
  std::uint32_t mark = 0;
};

Family Warp();

}  // namespace finwait::firewall::xt
