#include "collectors/kernel/procfs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <vector>

#include "tests/soon.h"
#include "tests/unit/collectors/kernel/procfs_fixture.h"

namespace finwait::kernel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ReadSmallFile, ReturnsEveryByte) {
  const ProcfsFixture procfs;
  const std::string content("a\0b\n\xff", 5);
  procfs.Write("file", content);
  EXPECT_EQ(ReadSmallFile(procfs.Root() / "file").value(), content);
}

TEST(ReadSmallFile, TakesAFileOfExactlyTheLimitAndRefusesAByteMore) {
  const ProcfsFixture procfs;
  procfs.Write("file", std::string(kProcfsReadLimit, 'x'));
  EXPECT_EQ(ReadSmallFile(procfs.Root() / "file").value().size(), kProcfsReadLimit);
  procfs.Write("file", std::string(kProcfsReadLimit + 1, 'x'));
  EXPECT_THAT(ReadSmallFile(procfs.Root() / "file").error().message, HasSubstr("larger than 65536 bytes"));
}

TEST(ReadSmallFile, EndsOnAFileThatNeverEnds) {
  EXPECT_THAT(ReadSmallFile("/dev/zero").error().message, HasSubstr("/dev/zero: larger than"));
}

TEST(ReadSmallFile, SaysThatAFileIsAbsent) {
  const ProcfsFixture procfs;
  const auto content = ReadSmallFile(procfs.Root() / "file");
  ASSERT_FALSE(content);
  EXPECT_TRUE(IsAbsent(content.error()));
  EXPECT_EQ(content.error().reason, FailureReason::kUnsupported);
  EXPECT_THAT(content.error().message, HasSubstr((procfs.Root() / "file").string()));
}

TEST(ReadSmallFile, CallsADirectoryAnErrorAndNotAbsent) {
  const ProcfsFixture procfs;
  const auto content = ReadSmallFile(procfs.Root());
  ASSERT_FALSE(content);
  EXPECT_FALSE(IsAbsent(content.error()));
  EXPECT_EQ(content.error().errno_code, EISDIR);
}

TEST(ReadSmallFile, DoesNotWaitForAFifoThatNobodyWrites) {
  const ProcfsFixture procfs;
  ASSERT_EQ(::mkfifo((procfs.Root() / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(ReadSmallFile(procfs.Root() / "fifo").value(), "");
}

// All lines of a file with this content.
std::vector<std::string> Lines(std::string_view content) {
  const ProcfsFixture procfs;
  procfs.Write("file", content);
  std::vector<std::string> lines;
  EXPECT_TRUE(ForEachLine(procfs.Root() / "file", Soon(), [&](std::string_view line) -> Result<void> {
    lines.emplace_back(line);
    return {};
  }));
  return lines;
}

TEST(ForEachLine, GivesEachLineOnceWithoutItsNewline) {
  EXPECT_THAT(Lines(""), ElementsAre());
  EXPECT_THAT(Lines("\n"), ElementsAre(""));
  EXPECT_THAT(Lines("one\n\ntwo\n"), ElementsAre("one", "", "two"));
  EXPECT_THAT(Lines("one\ntwo"), ElementsAre("one", "two"));
  EXPECT_THAT(Lines(std::string_view("a\0b\n", 4)), ElementsAre(std::string_view("a\0b", 3)));
}

TEST(ForEachLine, JoinsLinesThatLieAcrossReads) {
  std::string content;
  std::vector<std::string> expected;
  for (std::size_t length : {16383u, 16384u, 16385u, 1u, 0u, 40000u, 65536u}) {
    expected.emplace_back(length, static_cast<char>('a' + expected.size()));
    content += expected.back() + "\n";
  }
  EXPECT_EQ(Lines(content), expected);
}

TEST(ForEachLine, RefusesALineLongerThanTheLimit) {
  const ProcfsFixture procfs;
  for (const char* end : {"", "\n", "\nnext\n"}) {
    procfs.Write("file", "first\n" + std::string(kProcfsReadLimit + 1, 'x') + end);
    int lines = 0;
    const auto done = ForEachLine(procfs.Root() / "file", Soon(), [&](std::string_view) -> Result<void> {
      ++lines;
      return {};
    });
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().message, HasSubstr("a line longer than 65536 bytes"));
    EXPECT_EQ(lines, 1);
  }
}

TEST(ForEachLine, EndsWithTheVisitorsError) {
  const ProcfsFixture procfs;
  procfs.Write("file", "one\ntwo\nthree\n");
  int lines = 0;
  const auto done = ForEachLine(procfs.Root() / "file", Soon(), [&](std::string_view) -> Result<void> {
    return ++lines == 2 ? Result<void>(Fail(FailureReason::kError, "enough")) : Result<void>();
  });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "enough");
  EXPECT_EQ(lines, 2);
}

TEST(ForEachLine, EndsAtTheDeadline) {
  const ProcfsFixture procfs;
  procfs.Write("file", "one\n");
  const auto done = ForEachLine(procfs.Root() / "file", Deadline::After(std::chrono::seconds(0)),
                                [](std::string_view) -> Result<void> { return {}; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().reason, FailureReason::kTimeout);
}

TEST(ForEachLine, SaysThatAFileIsAbsent) {
  const ProcfsFixture procfs;
  const auto done = ForEachLine(procfs.Root() / "file", Soon(), [](std::string_view) -> Result<void> { return {}; });
  ASSERT_FALSE(done);
  EXPECT_TRUE(IsAbsent(done.error()));
}

}  // namespace
}  // namespace finwait::kernel
