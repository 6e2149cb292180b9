#include "exporter/service/stderr_sink.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "collectors/base/unique_fd.h"
#include "exporter/service/log.h"

namespace finwait::service {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// A pipe, which takes some 60 KB.
class StderrSink : public testing::Test {
 protected:
  StderrSink() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    reader_ = UniqueFd(ends[0]);
    writer_ = UniqueFd(ends[1]);
    EXPECT_EQ(::fcntl(reader_.Get(), F_SETFL, O_NONBLOCK), 0);
    const NeverWaitingSink::Loss loss = [](std::uint64_t lines) { return "msg=lost lines=" + std::to_string(lines); };
    logger_.emplace(LogLevel::kInfo, LogFormat::kLogfmt, std::make_shared<NeverWaitingSink>(writer_.Get(), loss));
  }
  std::string Read() const {
    std::string text(1 << 20, '\0');
    const ssize_t length = ::read(reader_.Get(), text.data(), text.size());
    text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
    return text;
  }

  UniqueFd reader_;
  UniqueFd writer_;
  std::optional<Logger> logger_;
};

TEST_F(StderrSink, WritesWhatCanBeWritten) {
  logger_->Info("one");
  logger_->Info("two");
  EXPECT_THAT(Read(), testing::MatchesRegex("ts=.* msg=\"one\"\nts=.* msg=\"two\"\n"));
}

TEST_F(StderrSink, NeverWaitsForAReaderAndSaysHowManyLinesAreLost) {
  std::future<void> logged = std::async(std::launch::async, [this] {
    for (int i = 0; i < 5000; ++i) {
      logger_->Info("a line that nobody reads", {{"number", i}});
    }
  });
  const bool in_time = logged.wait_for(5s) == std::future_status::ready;
  const std::string first = Read();  // which frees it otherwise
  ASSERT_TRUE(in_time);
  logged.get();
  const auto written = std::count(first.begin(), first.end(), '\n');
  EXPECT_GT(written, 10);
  logger_->Info("read again");
  const std::string second = Read();
  EXPECT_THAT(second, HasSubstr("level=warn msg=lost lines=" + std::to_string(5000 - written) + "\n"));
  EXPECT_THAT(second, testing::EndsWith("msg=\"read again\"\n"));
  logger_->Info("and again");
  EXPECT_THAT(Read(), testing::Not(HasSubstr("lost"))) << "said once";
}

TEST_F(StderrSink, ALineLargerThanThePipeDoesNotWaitEither) {
  std::future<void> logged = std::async(std::launch::async, [this] { logger_->Info(std::string(100'000, 'x')); });
  const bool in_time = logged.wait_for(5s) == std::future_status::ready;
  const std::string cut = Read();
  ASSERT_TRUE(in_time);
  EXPECT_FALSE(cut.ends_with("\n"));
  logger_->Info("next");
  EXPECT_THAT(Read(), testing::MatchesRegex("\nts=[^\n]* msg=lost lines=1\nts=[^\n]* msg=\"next\"\n"));
}

}  // namespace
}  // namespace finwait::service
