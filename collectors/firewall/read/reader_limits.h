#pragma once

#include <cstddef>

namespace finwait::firewall::read {

/// How much of a packet filter one sample keeps. Everything beyond is marked (Contents::kTruncated, UnreadPart), never
/// silently left out. The defaults hold the rulesets of real firewalls many times over and keep the model under 24 MB.
struct ReaderLimits {
  std::size_t tables = 1024;
  std::size_t chains = 8192;        ///< base chains, and what they reach
  std::size_t rules = 20'000;       ///< in all chains together
  std::size_t sets = 8192;          ///< that those rules refer to
  std::size_t set_elements = 8192;  ///< of one set
  std::size_t all_set_elements = 32'768;
  std::size_t objects = 1024;
  std::size_t flowtables =
      64;  ///< of all tables; no mark says that there are more, as they are named and decide nothing
  /// Of one legacy table as the kernel sends it, which is in one piece: some 50,000 rules. With the rules that are kept
  /// of it the program stays below 64 MiB.
  std::size_t legacy_table_bytes = 24U << 20;

  /// Of a command that divides all connections into classes and then ends: of a set whose elements are not all known,
  /// no class can be told.
  static ReaderLimits OfClasses() {
    ReaderLimits limits;
    limits.set_elements = 131'072;
    limits.all_set_elements = 262'144;
    return limits;
  }
};

}  // namespace finwait::firewall::read
