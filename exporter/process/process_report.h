#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "exporter/privilege/refused_calls.h"

namespace finwait::process {

/// What a process has given up, layer by layer, as `finwait_exporter_sandbox` names them.
enum class Layer : std::uint8_t {
  kCapabilities,  ///< every capability but those that its work needs, for good
  kSeccomp,       ///< its system calls are filtered
  kLandlock,      ///< it opens no file but those that its work needs
  kSealed,        ///< it can send the kernel no netlink request but those that read; one that has no such socket, none
};
inline constexpr Layer kLayers[] = {Layer::kCapabilities, Layer::kSeccomp, Layer::kLandlock, Layer::kSealed};

/// The label value.
constexpr std::string_view Name(Layer layer) {
  constexpr std::array<std::string_view, 4> kNames = {"capabilities", "seccomp", "landlock", "sealed"};
  return kNames[static_cast<std::size_t>(layer)];
}

/// By Layer, whether it is in force.
using Layers = std::array<bool, std::size(kLayers)>;

/// What a process uses.
struct Usage {
  double cpu_seconds = 0;           ///< user and system, since its start
  std::uint64_t started_ticks = 0;  ///< since the system's start, in clock ticks
  std::uint64_t virtual_bytes = 0;
  std::uint64_t resident_bytes = 0;  ///< what other processes share counts whole
  std::uint64_t threads = 0;
  std::uint64_t open_files = 0;
  /// Its part of the memory that is resident: what several processes share is divided among them (Pss of smaps_rollup);
  /// nothing where the kernel does not tell.
  std::optional<std::uint64_t> memory_bytes;
};

/// What one process of this program tells of itself.
struct ProcessReport {
  std::optional<Usage> usage;  ///< nothing where procfs does not tell
  Layers layers = {};
  std::vector<privilege::RefusedCall> refused;
};

/// All processes of this program, as the one that serves HTTP sees them.
struct Program {
  Layers layers = {};  ///< of this one
  std::vector<ProcessReport> others;
};

}  // namespace finwait::process
