#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "collectors/base/result.h"
#include "exporter/pairs/join.h"
#include "exporter/pairs/key.h"
#include "exporter/pairs/target.h"

/// Asks the exporters of a fleet for their halves.
namespace finwait::pairs {

/// Addresses by name, or why there is none.
using Addresses = std::map<std::string, Result<std::string>>;

/// Looks up the names of targets, several at once. To be called before the sandbox closes: a resolver loads libraries.
Addresses Resolve(std::span<const Target> targets);

struct FleetSettings {
  std::filesystem::path ca_file;      ///< certificates to trust; empty: the system's
  std::chrono::seconds patience{10};  ///< for a connection, and for the next byte
  std::chrono::seconds longest{60};   ///< for an answer as a whole
  std::size_t at_once = 16;
};

/// A host that did not answer, and why.
struct SilentHost {
  std::string name;
  std::string problem;  ///< without a full stop
};

struct FleetAnswers {
  Pairs pairs;
  std::size_t hosts = 0;           ///< asked
  std::vector<SilentHost> silent;  ///< of them, those whose halves are not known; in the order of the targets
};

/// Asks every target twice: for its lost halves, and once all have answered, for its live ones. Follows no redirection.
FleetAnswers AskFleet(std::span<const Target> targets, const Addresses& addresses, const Key& key,
                      const FleetSettings& settings);

}  // namespace finwait::pairs
