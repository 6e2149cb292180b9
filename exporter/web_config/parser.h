#pragma once

#include <filesystem>
#include <string_view>

#include "collectors/base/result.h"
#include "exporter/web_config/web_config.h"

namespace finwait::web_config {

/// Reads the text of a web configuration file, strictly: a key that is not known, a key that comes twice, and a value
/// that cannot be are errors, with the line. Relative paths are taken from `folder`. Reads no file.
Result<WebConfig> ParseWebConfig(std::string_view text, const std::filesystem::path& folder);

}  // namespace finwait::web_config
