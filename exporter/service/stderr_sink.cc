#include "exporter/service/stderr_sink.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace finwait::service {

namespace {

// A pipe that poll says can be written has room for this much.
constexpr std::size_t kPiece = PIPE_BUF;

bool CanWrite(int fd) {
  pollfd ready = {fd, POLLOUT, 0};
  return ::poll(&ready, 1, 0) > 0;
}

}  // namespace

bool NeverWaitingSink::Write(std::string_view line) {
  bool begun = false;
  while (!line.empty()) {
    if (!CanWrite(fd_)) {
      cut_ = cut_ || begun;
      return false;
    }
    if (cut_) {
      if (::write(fd_, "\n", 1) != 1) {
        return false;
      }
      cut_ = false;
      continue;
    }
    const ssize_t written = ::write(fd_, line.data(), line.size() < kPiece ? line.size() : kPiece);
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {  // nobody reads, or the disk is full
      cut_ = begun;
      return false;
    }
    begun = true;
    line.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

void NeverWaitingSink::sink_it_(const spdlog::details::log_msg& message) {
  spdlog::memory_buf_t line;
  if (lost_ > 0) {
    const std::string text = loss_(lost_);
    const spdlog::details::log_msg loss(spdlog::string_view_t(), spdlog::level::warn, text);
    formatter_->format(loss, line);
    if (!Write({line.data(), line.size()})) {
      ++lost_;
      return;
    }
    lost_ = 0;
    line.clear();
  }
  formatter_->format(message, line);
  if (!Write({line.data(), line.size()})) {
    ++lost_;
  }
}

}  // namespace finwait::service
