#include "exporter/service/log.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <ctime>
#include <string>

#include <spdlog/formatter.h>
#include <spdlog/logger.h>

#include "collectors/base/text.h"
#include "collectors/base/utf8.h"
#include "exporter/service/stderr_sink.h"

namespace finwait::service {

namespace {

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view LevelName(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::info:
      return "info";
    case spdlog::level::warn:
      return "warn";
    default:
      return "error";
  }
}

/// RFC 3339 in UTC with milliseconds.
std::string Timestamp(std::chrono::system_clock::time_point time) {
  const auto since_epoch = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const std::time_t whole = seconds.count();
  std::tm parts{};
  gmtime_r(&whole, &parts);
  std::array<char, 64> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::string milliseconds = std::to_string((since_epoch - seconds).count());
  milliseconds.insert(0, 3 - milliseconds.size(), '0');
  return std::string(text.data(), length) + "." + milliseconds + "Z";
}

/// As JSON has it: a pair of surrogates beyond four digits.
void AppendEscape(std::string& out, char32_t character) {
  constexpr char32_t kBeyond = 0x1'0000;
  if (character < kBeyond) {
    out += "\\u" + Hex(character, 4);
  } else {
    const char32_t rest = character - kBeyond;
    out += "\\u" + Hex(0xD800 + (rest >> 10), 4) + "\\u" + Hex(0xDC00 + (rest & 0x3FF), 4);
  }
}

/// A JSON string, which is also what logfmt readers take between quotes.
void AppendQuoted(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const Utf8Character character = FirstUtf8Character(text);
    const char32_t c = character.code_point;
    if (!character.valid) {
      out += kReplacementCharacter;
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (IsDeceptive(c)) {
      AppendEscape(out, c);
    } else {
      out += text.substr(0, character.bytes);
    }
    text.remove_prefix(character.bytes);
  }
  out += '"';
}

bool IsBareword(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return c > ' ' && c < 0x7F && c != '"' && c != '=' && c != '\\'; });
}

void AppendNumber(std::string& out, auto number) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  out.append(text.data(), end);
}

void AppendValue(std::string& out, LogFormat format, const LogField::Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (format == LogFormat::kLogfmt && IsBareword(*text)) {
      out += *text;
    } else {
      AppendQuoted(out, *text);
    }
  } else if (const auto* boolean = std::get_if<bool>(&value)) {
    out += *boolean ? "true" : "false";
  } else if (const auto* real = std::get_if<double>(&value)) {
    if (std::isfinite(*real)) {
      AppendNumber(out, *real);
    } else {  // JSON has no such numbers
      out += format == LogFormat::kJson ? "null" : std::isnan(*real) ? "NaN" : *real > 0 ? "+Inf" : "-Inf";
    }
  } else if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    AppendNumber(out, *whole);
  } else {
    AppendNumber(out, std::get<std::uint64_t>(value));
  }
}

/// Frames what Logger::Write has rendered with the time and the level.
class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(LogFormat format) : format_(format) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) override {
    std::string out = format_ == LogFormat::kJson ? R"({"ts":")" : "ts=";
    out += Timestamp(message.time);
    out += format_ == LogFormat::kJson ? R"(","level":")" : " level=";
    out += LevelName(message.level);
    out += format_ == LogFormat::kJson ? "\"," : " ";
    out.append(message.payload.data(), message.payload.size());
    out += format_ == LogFormat::kJson ? "}\n" : "\n";
    line.append(out.data(), out.data() + out.size());
  }

  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<LineFormatter>(format_); }

 private:
  LogFormat format_;
};

// As Logger::Write renders it.
constexpr std::string_view kLoss = "log lines were lost, as nobody reads them";
std::string LossAsLogfmt(std::uint64_t lines) {
  return "msg=\"" + std::string(kLoss) + "\" lines=" + std::to_string(lines);
}
std::string LossAsJson(std::uint64_t lines) {
  return R"("msg":")" + std::string(kLoss) + R"(","lines":)" + std::to_string(lines);
}

}  // namespace

Logger::Logger(LogLevel level, LogFormat format)
    : Logger(
          level, format,
          std::make_shared<NeverWaitingSink>(STDERR_FILENO, format == LogFormat::kJson ? &LossAsJson : &LossAsLogfmt)) {
}

Logger::Logger(LogLevel level, LogFormat format, spdlog::sink_ptr sink)
    : format_(format), logger_(std::make_shared<spdlog::logger>("", std::move(sink))) {
  logger_->set_level(SpdlogLevel(level));
  logger_->set_formatter(std::make_unique<LineFormatter>(format));
  logger_->flush_on(spdlog::level::trace);
}

void Logger::Write(LogLevel level, std::string_view message, Fields fields) const {
  if (!logger_->should_log(SpdlogLevel(level))) {
    return;
  }
  std::string line = format_ == LogFormat::kJson ? R"("msg":)" : "msg=";
  AppendQuoted(line, message);
  for (const LogField& field : fields) {
    if (format_ == LogFormat::kJson) {
      line += ',';
      AppendQuoted(line, field.Key());
      line += ':';
    } else {
      line += ' ';
      line += field.Key();
      line += '=';
    }
    AppendValue(line, format_, field.GetValue());
  }
  logger_->log(SpdlogLevel(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace finwait::service
