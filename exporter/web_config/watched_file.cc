#include "exporter/web_config/watched_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "collectors/base/unique_fd.h"

namespace finwait::web_config {

namespace {

/// Longer than any clock tick: a file that was changed less than this before it was read may be changed once more
/// without another time stamp.
constexpr std::time_t kFreshSeconds = 1;

bool Same(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

}  // namespace

bool WatchedFile::Stamp::operator==(const Stamp& other) const {
  return device == other.device && inode == other.inode && size == other.size && Same(modified, other.modified) &&
         Same(changed, other.changed);
}

bool WatchedFile::Stamp::IsFresh() const {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec <= changed.tv_sec + kFreshSeconds;
}

std::optional<WatchedFile::Stamp> WatchedFile::StampOf(const struct stat& status) {
  const Stamp stamp{status.st_dev, status.st_ino, status.st_size, status.st_mtim, status.st_ctim};
  return stamp.IsFresh() ? std::nullopt : std::optional(stamp);
}

bool WatchedFile::Refresh() {
  struct stat status {};
  if (stamp_ && stat(path_.c_str(), &status) == 0 && StampOf(status) == stamp_) {
    return false;
  }
  Result<std::string> content = Read();
  const bool is_same = content.has_value() == content_.has_value() &&
                       (content ? *content == *content_ : content.error().message == content_.error().message);
  content_ = std::move(content);
  return !is_same;
}

Result<std::string> WatchedFile::Read() {
  stamp_.reset();
  const std::string operation = "cannot read " + path_.string();
  const UniqueFd fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (!fd || fstat(fd.Get(), &status) != 0) {
    return FailErrno(operation, errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return Fail(FailureReason::kError, operation + ": it is not a regular file");
  }
  if (status.st_size > static_cast<off_t>(kMostBytes)) {
    return Fail(FailureReason::kError, operation + ": it is larger than 1 MiB");
  }
  std::string content(static_cast<std::size_t>(status.st_size) + 1, '\0');  // one more than there is, to see the end
  std::size_t size = 0;
  while (size < content.size()) {
    const ssize_t length = read(fd.Get(), content.data() + size, content.size() - size);
    if (length < 0) {
      return FailErrno(operation, errno);
    }
    if (length == 0) {
      break;
    }
    size += static_cast<std::size_t>(length);
  }
  content.resize(size);
  stamp_ = StampOf(status);
  return content;
}

}  // namespace finwait::web_config
