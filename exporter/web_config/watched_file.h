#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

#include "collectors/base/result.h"

namespace finwait::web_config {

/// A small file whose newest content is wanted again and again. Looking again costs one stat while the file stays as it
/// is; links are followed, so a Kubernetes Secret whose link is moved is seen.
class WatchedFile {
 public:
  static constexpr std::size_t kMostBytes = 1024 * 1024;

  explicit WatchedFile(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& Path() const { return path_; }
  /// The content when Refresh last looked. Errors name the file.
  const Result<std::string>& Content() const { return content_; }
  /// Looks again. Whether the content, or the error, is another one than before; true at the first call.
  bool Refresh();

 private:
  /// What the kernel says of a file; it changes with the content, unless it is changed twice within the clock's grain.
  struct Stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    timespec modified;
    timespec changed;
    bool operator==(const Stamp& other) const;
    bool IsFresh() const;
  };
  static std::optional<Stamp> StampOf(const struct stat& status);
  Result<std::string> Read();

  std::filesystem::path path_;
  std::optional<Stamp> stamp_;  ///< of the content; nothing when it may be stale at once
  Result<std::string> content_ = Fail(FailureReason::kError, "");
};

}  // namespace finwait::web_config
