#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "collectors/base/result.h"

namespace finwait::pairs {

/// A host to ask.
struct Target {
  bool tls = false;
  std::string host;  ///< a name or an address, without brackets
  std::uint16_t port = 10061;
  std::string path;  ///< before the exporter's own paths, as a proxy has it: "" or "/..." without '/' at its end
  std::string user;  ///< basic authentication; empty: none
  std::string password;
  bool operator==(const Target&) const = default;

  /// "web-1:10061", "[2001:db8::1]:10061/exporter": how reports name it.
  std::string Name() const;
};

/// "HOST", "HOST:PORT", or a URL with http or https, which may hold USER:PASSWORD@ and a path. The error is what would
/// be right.
tl::expected<Target, std::string> ParseTarget(std::string_view text);

/// The targets of a file that Prometheus' file_sd_configs reads, YAML or JSON: a list of groups, each with "targets"
/// and perhaps "labels", of which __scheme__ counts.
Result<std::vector<Target>> ReadTargets(const std::filesystem::path& file);
/// The same of the file's text.
Result<std::vector<Target>> ParseTargets(std::string_view text);

}  // namespace finwait::pairs
