#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "collectors/base/result.h"
#include "exporter/web_config/watched_file.h"
#include "exporter/web_config/web_config.h"

namespace finwait::web_config {

/// Told when what is in force has become another: that it can be used, or why it cannot.
using ChangeReport = std::function<void(const Result<void>&)>;

/// The web configuration as its file is now. Not thread-safe.
class WebConfigFile {
 public:
  /// `report` is not called for the first reading.
  WebConfigFile(const std::filesystem::path& path, ChangeReport report);

  /// Looks at the file again. Errors name it and the line.
  const Result<WebConfig>& Now();
  /// Another number after each change.
  std::uint64_t Version() const { return version_; }

 private:
  void Read();

  WatchedFile file_;
  ChangeReport report_;
  Result<WebConfig> config_;
  std::uint64_t version_ = 0;
};

}  // namespace finwait::web_config
