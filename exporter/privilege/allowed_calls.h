#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace finwait::privilege {

/// A demand on one argument of a system call: (argument & mask) == value. Pointers are never looked behind: the kernel
/// gives a filter the registers and nothing else.
struct Demand {
  unsigned argument = 0;  ///< counted from 0
  std::uint64_t mask = 0;
  std::uint64_t value = 0;
};

/// A system call that the program may make, whatever its arguments or with arguments that meet all demands. A call may
/// be listed several times, once for each way in which it is allowed.
struct AllowedCall {
  const char* name;
  std::array<Demand, 3> demands = {};
  std::size_t demand_count = 0;
};

/// What the program does once it runs: the whole list, but for the store.
std::span<const AllowedCall> AllowedCalls();
/// What it does beside that with files that it has opened before, where it has a store (--storage.path). No file can be
/// made, opened for writing or removed by them.
std::span<const AllowedCall> StoreCalls();

/// What the command that asks other hosts does beside that (`pairs`): it opens TCP connections.
std::span<const AllowedCall> ClientCalls();

}  // namespace finwait::privilege
