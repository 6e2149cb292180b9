#pragma once

#include <cstdint>

#include "collectors/base/result.h"
#include "exporter/command_line/options.h"
#include "exporter/privilege/sandbox.h"

namespace finwait::exporter {

/// Gives up all but what loading BPF programs takes. Returns the inode of this network namespace.
Result<std::uint64_t> PrepareToLoad(const command_line::Options& options);

/// Gives up the rest, once they are loaded.
Result<void> ConfineLoaded(const command_line::Options& options, privilege::Role role);

/// A child's first steps: loads BPF programs by `load`, which takes the inode of this network namespace and returns a
/// Result, and keeps no right to do so again.
template <typename Load>
auto LoadConfined(const command_line::Options& options, privilege::Role role, Load load)
    -> decltype(load(std::uint64_t{})) {
  const auto network_namespace = PrepareToLoad(options);
  if (!network_namespace) {
    return Failure(network_namespace.error());
  }
  auto loaded = load(*network_namespace);
  if (!loaded) {
    return loaded;
  }
  if (const auto confined = ConfineLoaded(options, role); !confined) {
    return Failure(confined.error());
  }
  return loaded;
}

}  // namespace finwait::exporter
