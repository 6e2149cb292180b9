#include "collectors/sources/softnet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/lab/namespace.h"

namespace finwait::sources {
namespace {

SoftnetSample Sample(const lab::Namespace& where) {
  SoftnetSample sample;
  where.Run([&] {
    SoftnetCollector collector(kernel::OpenHost("/proc").value());
    const auto collected = collector.Collect(Deadline::After(std::chrono::seconds(5)));
    ASSERT_TRUE(collected) << collected.error().message;
    EXPECT_THAT(collected->gaps, testing::IsEmpty());
    sample = dynamic_cast<const SoftnetSample&>(*collected->data);
  });
  return sample;
}

// The sums of two columns as Python's own reader of hexadecimal numbers makes them.
SoftnetSample SoftnetOracle(const lab::Namespace& where) {
  std::istringstream sums(
      where.Shell("python3 -c 'rows = [line.split() for line in open(\"/proc/thread-self/net/softnet_stat\")]; "
                  "print(*(sum(int(row[i], 16) for row in rows) for i in (1, 2)))'"));
  SoftnetSample sample;
  sums >> sample.dropped >> sample.times_squeezed;
  EXPECT_TRUE(sums);
  return sample;
}

// The counters are the whole host's, and other tests' packets count as well: they only grow.
TEST(SoftnetCollector, ReadsWhatThisKernelCountsInWhateverNamespace) {
  const lab::Namespace one;
  const lab::Namespace other;
  const SoftnetSample before = SoftnetOracle(one);
  const SoftnetSample sample = Sample(other);
  const SoftnetSample after = SoftnetOracle(one);
  EXPECT_GE(sample.dropped, before.dropped);
  EXPECT_LE(sample.dropped, after.dropped);
  EXPECT_GE(sample.times_squeezed, before.times_squeezed);
  EXPECT_LE(sample.times_squeezed, after.times_squeezed);
}

}  // namespace
}  // namespace finwait::sources
