#include "exporter/service/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <sstream>

#include <spdlog/sinks/ostream_sink.h>
#include <nlohmann/json.hpp>

namespace finwait::service {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

class Log : public testing::Test {
 protected:
  std::string Written(LogFormat format, const std::function<void(const Logger&)>& write,
                      LogLevel level = LogLevel::kDebug) {
    std::ostringstream out;
    write(Logger(level, format, std::make_shared<spdlog::sinks::ostream_sink_mt>(out)));
    return out.str();
  }
};

TEST_F(Log, LogfmtIsOneLineWithTimeLevelMessageAndFields) {
  const std::string line = Written(LogFormat::kLogfmt, [](const Logger& log) {
    log.Info("Listening", {{"address", "[::]:10061"}, {"ports", 2}, {"share", 0.02}, {"tls", false}, {"path", "a b"}});
  });
  EXPECT_THAT(line, MatchesRegex("ts=20..-..-..T..:..:..\\.[0-9][0-9][0-9]Z level=info msg=\"Listening\" "
                                 "address=\\[::\\]:10061 ports=2 share=0.02 tls=false path=\"a b\"\n"));
}

TEST_F(Log, JsonIsOneObjectOnALineWithNumbersAsNumbers) {
  const std::string line = Written(LogFormat::kJson, [](const Logger& log) {
    log.Warn("Slow", {{"seconds", 1.5},
                      {"count", std::uint64_t{18446744073709551615u}},
                      {"down", -3},
                      {"name", "x"},
                      {"ok", true},
                      {"nothing", std::nan("")}});
  });
  const auto object = nlohmann::json::parse(line);
  EXPECT_EQ(object["level"], "warn");
  EXPECT_EQ(object["msg"], "Slow");
  EXPECT_EQ(object["seconds"], 1.5);
  EXPECT_EQ(object["count"], 18446744073709551615u);
  EXPECT_EQ(object["down"], -3);
  EXPECT_EQ(object["name"], "x");
  EXPECT_EQ(object["ok"], true);
  EXPECT_TRUE(object["nothing"].is_null());
  EXPECT_EQ(line.back(), '\n');
}

TEST_F(Log, NothingBelowTheLevelIsWritten) {
  const auto write_all = [](const Logger& log) {
    log.Debug("d");
    log.Info("i");
    log.Warn("w");
    log.Error("e");
  };
  const auto count = [](const std::string& text) { return std::count(text.begin(), text.end(), '\n'); };
  EXPECT_EQ(count(Written(LogFormat::kLogfmt, write_all, LogLevel::kDebug)), 4);
  EXPECT_EQ(count(Written(LogFormat::kLogfmt, write_all, LogLevel::kInfo)), 3);
  EXPECT_EQ(count(Written(LogFormat::kLogfmt, write_all, LogLevel::kWarn)), 2);
  EXPECT_THAT(Written(LogFormat::kLogfmt, write_all, LogLevel::kError), HasSubstr("level=error msg=\"e\""));
  EXPECT_EQ(count(Written(LogFormat::kLogfmt, write_all, LogLevel::kError)), 1);
}

TEST_F(Log, AValueCannotForgeALineOrAField) {
  const std::string forged = "x\" level=error msg=\"forged\nts=2020 level=info\r\x1b[2K\x85";
  const std::string line = Written(LogFormat::kLogfmt, [&](const Logger& log) {
    log.Info(forged, {{"peer", forged}});
  });
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_THAT(line,
              HasSubstr("peer=\"x\\\" level=error msg=\\\"forged\\nts=2020 level=info\\r\\u001b[2K\xEF\xBF\xBD\"\n"));
  const auto object = nlohmann::json::parse(Written(LogFormat::kJson, [&](const Logger& log) {
    log.Info("m", {{"peer", "a\",\"level\":\"error\nb"}});
  }));
  EXPECT_EQ(object["peer"], "a\",\"level\":\"error\nb");
  EXPECT_EQ(object["level"], "info");
}

TEST_F(Log, CharactersThatSeparateLinesOrReorderTextAreEscaped) {
  const std::string line = Written(LogFormat::kLogfmt, [](const Logger& log) {
    log.Info(
        "a\xE2\x80\xA8"
        "b\xE2\x80\xAE"
        "c\xC2\x9B"
        "d\x7F",
        {{"k", "gr\xC3\xBC\xC3\x9F"}});
  });
  EXPECT_THAT(line, HasSubstr("msg=\"a\\u2028b\\u202ec\\u009bd\\u007f\""));
  EXPECT_THAT(line, HasSubstr("k=\"gr\xC3\xBC\xC3\x9F\""));
}

TEST_F(Log, TagsAreEscapedAsJsonHasThem) {
  const std::string line = Written(LogFormat::kJson, [](const Logger& log) { log.Info("a\U000e0041b\U0010fffd"); });
  EXPECT_THAT(line, HasSubstr(R"(a\udb40\udc41b\udbff\udffd)"));
  EXPECT_EQ(nlohmann::json::parse(line)["msg"], "a\U000e0041b\U0010fffd");
}

TEST_F(Log, ValuesThatLogfmtCouldMisreadAreQuoted) {
  const std::string line = Written(LogFormat::kLogfmt, [](const Logger& log) {
    log.Info("m", {{"empty", ""}, {"equal", "a=b"}, {"backslash", "a\\b"}, {"infinite", -INFINITY}});
  });
  EXPECT_THAT(line, HasSubstr("empty=\"\" equal=\"a=b\" backslash=\"a\\\\b\" infinite=-Inf\n"));
}

TEST_F(Log, BracesAreNotFormatDirectives) {
  EXPECT_THAT(Written(LogFormat::kLogfmt, [](const Logger& log) { log.Info("{} {0} %s"); }), HasSubstr("{} {0} %s"));
}

TEST_F(Log, RandomBytesStayOneLineAndValidJson) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 24, '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(random());
    }
    const auto write = [&](const Logger& log) { log.Error(bytes, {{"k", bytes}, {"after", 1}}); };
    const std::string line = Written(LogFormat::kLogfmt, write);
    ASSERT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
    ASSERT_THAT(line, testing::EndsWith(" after=1\n"));
    const auto object = nlohmann::json::parse(Written(LogFormat::kJson, write));
    ASSERT_EQ(object.size(), 5u);
    ASSERT_EQ(object["k"], object["msg"]);
  }
}

}  // namespace
}  // namespace finwait::service
