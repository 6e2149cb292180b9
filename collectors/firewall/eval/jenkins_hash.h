#pragma once

#include <cstdint>
#include <span>

namespace finwait::firewall::eval {

/// jhash() of the kernel (include/linux/jhash.h) on a little-endian machine.
std::uint32_t JenkinsHash(std::span<const std::uint8_t> bytes, std::uint32_t seed);

}  // namespace finwait::firewall::eval
