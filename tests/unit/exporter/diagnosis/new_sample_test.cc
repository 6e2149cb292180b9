#include "exporter/diagnosis/new_sample.h"

#include <gtest/gtest.h>

namespace finwait::diagnosis {
namespace {

TEST(NewSampleTest, IsTakenInOnceUntilAnotherComes) {
  NewSample sample;
  scheduling::CollectorStatus status;
  EXPECT_FALSE(sample.TakeIn(nullptr));
  EXPECT_FALSE(sample.TakeIn(&status)) << "it holds none";
  status.data = std::make_shared<sources::SampleData>();
  EXPECT_TRUE(sample.TakeIn(&status));
  EXPECT_FALSE(sample.TakeIn(&status));
  status.data = nullptr;
  EXPECT_FALSE(sample.TakeIn(&status)) << "blind now";
  status.data = std::make_shared<sources::SampleData>();
  EXPECT_TRUE(sample.TakeIn(&status));
}

}  // namespace
}  // namespace finwait::diagnosis
