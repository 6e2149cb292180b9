#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <spdlog/sinks/base_sink.h>

#include <mutex>

namespace finwait::service {

/// Writes log lines to a descriptor without ever waiting for whoever reads it: a line for which there is no room is
/// lost and counted, and the next one that can be written is preceded by `loss(lines lost)`. So a pipe that nobody
/// reads stops neither the start nor the event loop. One line at a time; thread-safe.
class NeverWaitingSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  /// What is written, framed as a line, once lines were lost.
  using Loss = std::string (*)(std::uint64_t lines);

  /// `fd` must outlive this.
  NeverWaitingSink(int fd, Loss loss) : fd_(fd), loss_(loss) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}

 private:
  /// Whether all of it is written. What is written of a line in part is ended by the next one.
  bool Write(std::string_view line);

  const int fd_;
  const Loss loss_;
  std::uint64_t lost_ = 0;
  bool cut_ = false;  ///< the last line was written in part
};

}  // namespace finwait::service
