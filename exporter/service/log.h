#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include <spdlog/common.h>

namespace spdlog {
class logger;
}

namespace finwait::service {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kLogfmt, kJson };

/// One key and its value. The key is a literal of ours (letters, digits, '_', '.'); the value may come from anywhere.
class LogField {
 public:
  using Value = std::variant<std::string, std::int64_t, std::uint64_t, double, bool>;

  LogField(std::string_view key, std::string value) : key_(key), value_(std::move(value)) {}
  LogField(std::string_view key, std::string_view value) : key_(key), value_(std::string(value)) {}
  LogField(std::string_view key, const char* value) : key_(key), value_(std::string(value)) {}
  LogField(std::string_view key, bool value) : key_(key), value_(value) {}
  LogField(std::string_view key, double value) : key_(key), value_(value) {}
  template <std::signed_integral T>
  LogField(std::string_view key, T value) : key_(key), value_(std::int64_t{value}) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) LogField(std::string_view key, T value) : key_(key), value_(std::uint64_t{value}) {}

  std::string_view Key() const { return key_; }
  const Value& GetValue() const { return value_; }

 private:
  std::string_view key_;
  Value value_;
};

/// Writes one line per call: `ts=2026-01-31T12:00:00.000Z level=info msg="..." key=value` or the same as one JSON
/// object. Whatever a message or value holds, it stays on its line and inside its quotes: control characters, quotes,
/// characters that reorder text and bytes that are not UTF-8 are escaped or replaced. Thread-safe; never throws for
/// what it is given.
class Logger {
 public:
  /// Logs to standard error, and never waits for its reader (stderr_sink.h).
  Logger(LogLevel level, LogFormat format);
  /// Logs to `sink`, whose formatter it replaces.
  Logger(LogLevel level, LogFormat format, spdlog::sink_ptr sink);

  using Fields = std::initializer_list<LogField>;
  void Debug(std::string_view message, Fields fields = {}) const { Write(LogLevel::kDebug, message, fields); }
  void Info(std::string_view message, Fields fields = {}) const { Write(LogLevel::kInfo, message, fields); }
  void Warn(std::string_view message, Fields fields = {}) const { Write(LogLevel::kWarn, message, fields); }
  void Error(std::string_view message, Fields fields = {}) const { Write(LogLevel::kError, message, fields); }

 private:
  void Write(LogLevel level, std::string_view message, Fields fields) const;

  LogFormat format_;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace finwait::service
