#include "collectors/sources/softnet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/collectors/kernel/procfs_fixture.h"
#include "tests/unit/collectors/sources/complete_samples.h"

namespace finwait::sources {
namespace {

using testing::HasSubstr;

const bool kSoftnetComplete = CompleteSamples::Add(SoftnetSample());

constexpr const char* kFile = "thread-self/net/softnet_stat";

// A line as Linux 6 prints it, of 15 columns.
std::string Line(const std::string& dropped, const std::string& squeezed, const std::string& cpu) {
  return "005298e9 " + dropped + " " + squeezed +
         " 00000000 00000000 00000000 00000000 00000000 00000000 0000000a 0000000b 0000000c " + cpu +
         " 0000000d 0000000e\n";
}

class SoftnetTest : public testing::Test {
 protected:
  SoftnetSample Read(const std::string& content) {
    procfs_.Write(kFile, content);
    const auto collected = collector_.Collect(Deadline::After(std::chrono::seconds(5)));
    EXPECT_TRUE(collected) << (collected ? "" : collected.error().message);
    return collected ? dynamic_cast<const SoftnetSample&>(*collected->data) : SoftnetSample();
  }
  Error Refused(const std::string& content) {
    procfs_.Write(kFile, content);
    const auto collected = collector_.Collect(Deadline::After(std::chrono::seconds(5)));
    EXPECT_FALSE(collected) << content.substr(0, 200);
    return collected ? Error{} : collected.error();
  }

  kernel::ProcfsFixture procfs_;
  SoftnetCollector collector_{procfs_.MakeHost()};
};

TEST_F(SoftnetTest, SumsHexadecimalColumnsOverTheCpus) {
  const SoftnetSample sample =
      Read(Line("000000ff", "00000007", "00000000") + Line("00000001", "00000010", "00000003"));
  EXPECT_EQ(sample.dropped, 256u);
  EXPECT_EQ(sample.times_squeezed, 23u);
}

TEST_F(SoftnetTest, GoesOnAcrossThe32BitWrapOfACpu) {
  EXPECT_EQ(Read(Line("ffffffff", "00000000", "00000000")).dropped, 4294967295u);
  EXPECT_EQ(Read(Line("00000001", "00000000", "00000000")).dropped, 4294967297u);
}

TEST_F(SoftnetTest, KeepsWhatACpuCountedThatGoesOffline) {
  const std::string first = Line("00000005", "00000000", "00000000");
  Read(first + Line("00000003", "00000000", "00000001") + Line("00000004", "00000000", "00000002"));
  EXPECT_EQ(Read(first + Line("00000006", "00000000", "00000002")).dropped, 14u);
}

TEST_F(SoftnetTest, RefusesAFileThatIsGarbledAndCountsNothingOfIt) {
  const std::string good = Line("00000005", "00000001", "00000000");
  EXPECT_THAT(Refused(good + Line("0000000g", "00000000", "00000001")).message,
              HasSubstr("softnet_stat, line 2: column 2 is not a hexadecimal 32-bit number"));
  EXPECT_THAT(Refused(Line("100000000", "00000000", "00000000")).message, HasSubstr("column 2 is not"));
  EXPECT_THAT(Refused(Line("-1", "00000000", "00000000")).message, HasSubstr("column 2 is not"));
  EXPECT_THAT(Refused(Line("", "00000000", "00000000")).message, HasSubstr("column 2 is not"));
  EXPECT_THAT(Refused(Line("00000000", "00000000", "00002000")).message, HasSubstr("there is no CPU 8192"));
  EXPECT_THAT(Refused("").message, HasSubstr("is empty"));
  std::string endless;
  for (int i = 0; i < 8193; ++i) {
    endless += good;
  }
  EXPECT_THAT(Refused(endless).message, HasSubstr("line 8193: more lines than Linux can have CPUs"));
  EXPECT_EQ(Read(good).dropped, 5u);
}

TEST_F(SoftnetTest, SaysThatAnOlderKernelDoesNotNameItsCpus) {
  const Error error = Refused("005298e9 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 0 0\n");
  EXPECT_EQ(error.reason, FailureReason::kUnsupported);
  EXPECT_THAT(error.message, HasSubstr("11 columns, where newer kernels name the CPU in column 13"));
}

TEST_F(SoftnetTest, FailsWithoutTheFile) {
  const auto collected = collector_.Collect(Deadline::After(std::chrono::seconds(5)));
  ASSERT_FALSE(collected);
  EXPECT_THAT(collected.error().message, HasSubstr("softnet_stat"));
}

}  // namespace
}  // namespace finwait::sources
