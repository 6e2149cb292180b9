#include "exporter/scheduling/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <new>
#include <stdexcept>
#include <vector>

namespace finwait::scheduling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct NumberSample : sources::SampleData {
  static constexpr std::string_view kCollector = "number";
  int number = 0;
};

// Answers with whatever the test says.
class ScriptedCollector : public sources::Collector {
 public:
  explicit ScriptedCollector(std::function<Result<sources::Collected>(int)> look) : look_(std::move(look)) {}
  Result<sources::Collected> Collect(Deadline) override { return look_(++samples_); }

 private:
  std::function<Result<sources::Collected>(int)> look_;
  int samples_ = 0;
};

sources::Collected Number(int number) {
  auto sample = std::make_shared<NumberSample>();
  sample->number = number;
  return {std::move(sample), {}};
}

const sources::CollectorInfo kNumber = {.name = "number"};
const sources::CollectorInfo kOther = {.name = "other"};
const sources::CollectorInfo kCostly = {.name = "costly", .budget_share = 0.5};

// Keeps the snapshots and lets a test wait for the first one that it likes, however short it was the newest.
class Published {
 public:
  Sampler::Publish Callback() {
    return [this](std::shared_ptr<const Snapshot> snapshot) {
      const std::lock_guard lock(mutex_);
      all_.push_back(std::move(snapshot));
      changed_.notify_all();
    };
  }
  std::shared_ptr<const Snapshot> WaitFor(const std::function<bool(const Snapshot&)>& condition) {
    std::unique_lock lock(mutex_);
    std::shared_ptr<const Snapshot> found;
    std::size_t looked_at = 0;
    changed_.wait_for(lock, seconds(20), [&] {
      for (; found == nullptr && looked_at < all_.size(); ++looked_at) {
        found = condition(*all_[looked_at]) ? all_[looked_at] : nullptr;
      }
      return found != nullptr;
    });
    return found;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<const Snapshot>> all_;
};

std::vector<EnabledCollector> One(const sources::CollectorInfo& info,
                                  std::function<Result<sources::Collected>(int)> look) {
  std::vector<EnabledCollector> collectors;
  collectors.push_back({&info, std::make_unique<ScriptedCollector>(std::move(look))});
  return collectors;
}

TEST(SamplerTest, PublishesEachCollection) {
  Published published;
  Sampler sampler({}, One(kNumber, [](int look) { return Number(look); }),
                  {milliseconds(5), std::make_shared<CpuBudget>(1)}, published.Callback());
  sampler.Start();
  const auto snapshot = published.WaitFor([](const Snapshot& one) {
    const auto* sample = one.Find<NumberSample>();
    return sample != nullptr && sample->number >= 3;
  });
  ASSERT_NE(snapshot, nullptr);
  EXPECT_TRUE(snapshot->Status<NumberSample>()->Succeeded());
  EXPECT_TRUE(sampler.Stop(Deadline::After(seconds(5))));
}

TEST(SamplerTest, AFailedCollectionTakesTheOldSampleAway) {
  Published published;
  Sampler sampler({},
                  One(kNumber,
                      [](int look) -> Result<sources::Collected> {
                        if (look == 1) {
                          return Number(1);
                        }
                        return Fail(FailureReason::kPermission, "no");
                      }),
                  {milliseconds(5), std::make_shared<CpuBudget>(1)}, published.Callback());
  sampler.Start();
  const auto snapshot = published.WaitFor([](const Snapshot& one) {
    return one.collectors[0].failures[static_cast<std::size_t>(FailureReason::kPermission)] > 0;
  });
  ASSERT_NE(snapshot, nullptr);
  EXPECT_EQ(snapshot->Find<NumberSample>(), nullptr);
  EXPECT_FALSE(snapshot->collectors[0].Succeeded());
  EXPECT_TRUE(snapshot->collectors[0].last_success.has_value());
  EXPECT_TRUE(snapshot->collectors[0].has_worked);
  EXPECT_EQ(snapshot->collectors[0].errors.at(0).message, "no");
}

TEST(SamplerTest, ACollectionWithAGapShowsWhatItReadAndCountsAsFailed) {
  Published published;
  Sampler sampler({},
                  One(kNumber,
                      [](int look) {
                        sources::Collected collected = Number(look);
                        collected.gaps.push_back({FailureReason::kUnsupported, 0, "half of it"});
                        return collected;
                      }),
                  {milliseconds(5), std::make_shared<CpuBudget>(1)}, published.Callback());
  sampler.Start();
  const auto snapshot = published.WaitFor([](const Snapshot& one) { return one.collectors[0].collected; });
  ASSERT_NE(snapshot, nullptr);
  const auto* sample = snapshot->Find<NumberSample>();
  ASSERT_NE(sample, nullptr);
  EXPECT_FALSE(snapshot->collectors[0].Succeeded());
  EXPECT_EQ(snapshot->collectors[0].failures[static_cast<std::size_t>(FailureReason::kUnsupported)],
            static_cast<std::uint64_t>(sample->number))
      << "each look counts once";
}

TEST(SamplerTest, ACollectorThatHangsIsReportedAndHoldsUpNoOther) {
  Published published;
  std::promise<void> release;
  auto released = release.get_future().share();
  std::vector<EnabledCollector> collectors = One(kNumber, [released](int look) {
    if (look == 2) {
      released.wait();
    }
    return Number(look);
  });
  std::atomic<int> others = 0;
  collectors.push_back({&kOther, std::make_unique<ScriptedCollector>([&others](int look) {
                          others = look;
                          return Number(look);
                        })});
  Sampler sampler({}, std::move(collectors), {milliseconds(10), std::make_shared<CpuBudget>(1)}, published.Callback());
  sampler.Start();
  const auto hung = published.WaitFor([](const Snapshot& one) {
    return one.collectors[0].failures[static_cast<std::size_t>(FailureReason::kTimeout)] == 1;
  });
  ASSERT_NE(hung, nullptr);
  EXPECT_EQ(hung->collectors[0].data, nullptr) << "old data is not shown as new";
  EXPECT_GT(others, 50);
  EXPECT_FALSE(sampler.Stop(Deadline::After(milliseconds(50)))) << "a hung look cannot be joined";
  release.set_value();
}

TEST(SamplerTest, ACollectionThatRunsOutOfMemoryFailsAlone) {
  Published published;
  std::vector<EnabledCollector> collectors = One(kNumber, [](int look) -> Result<sources::Collected> {
    if (look == 2) {
      throw std::bad_alloc();
    }
    return Number(look);
  });
  collectors.push_back({&kOther, std::make_unique<ScriptedCollector>([](int look) { return Number(look); })});
  Sampler sampler({}, std::move(collectors), {milliseconds(5), std::make_shared<CpuBudget>(1)}, published.Callback());
  sampler.Start();
  const auto failed = published.WaitFor([](const Snapshot& one) { return !one.collectors[0].errors.empty(); });
  ASSERT_NE(failed, nullptr);
  EXPECT_EQ(failed->collectors[0].data, nullptr);
  EXPECT_THAT(failed->collectors[0].errors.at(0).message, testing::HasSubstr("memory"));
  EXPECT_TRUE(failed->collectors[1].errors.empty());
  const auto again = published.WaitFor([](const Snapshot& one) {
    const auto* sample = one.Find<NumberSample>();
    return sample != nullptr && sample->number >= 3;
  });
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->collectors[0].failures[static_cast<std::size_t>(FailureReason::kError)], 1U);
  EXPECT_TRUE(sampler.Stop(Deadline::After(seconds(5))));
}

TEST(SamplerTest, ACollectionThatThrowsIsAFailureOfThatCollector) {
  std::vector<EnabledCollector> collectors =
      One(kNumber, [](int) -> Result<sources::Collected> { throw std::logic_error("no such thing"); });
  collectors.push_back({&kOther, std::make_unique<ScriptedCollector>([](int look) { return Number(look); })});
  const auto snapshot = CollectOnce({}, std::move(collectors), seconds(1));
  EXPECT_THAT(snapshot->collectors[0].errors.at(0).message, testing::HasSubstr("no such thing"));
  EXPECT_TRUE(snapshot->collectors[1].Succeeded());
}

TEST(SamplerTest, AThreadIsNamedAfterItsCollector) {
  Published published;
  std::promise<std::string> name;
  Sampler sampler({},
                  One(kNumber,
                      [&name](int look) {
                        char text[16] = {};
                        pthread_getname_np(pthread_self(), text, sizeof text);
                        if (look == 1) {
                          name.set_value(text);
                        }
                        return Number(look);
                      }),
                  {seconds(60), std::make_shared<CpuBudget>(1)}, published.Callback());
  sampler.Start();
  EXPECT_EQ(name.get_future().get(), kNumber.name);
  EXPECT_TRUE(sampler.Stop(Deadline::After(seconds(5))));
}

TEST(SamplerTest, ACollectionThatOverranAndThenEndsCountsAgain) {
  Published published;
  std::promise<void> release;
  auto released = release.get_future().share();
  Sampler sampler({},
                  One(kNumber,
                      [released](int look) {
                        if (look == 1) {
                          released.wait();
                        }
                        return Number(look);
                      }),
                  {milliseconds(10), std::make_shared<CpuBudget>(1)}, published.Callback());
  sampler.Start();
  ASSERT_NE(published.WaitFor([](const Snapshot& one) { return one.collectors[0].collected; }), nullptr);
  release.set_value();
  EXPECT_NE(published.WaitFor([](const Snapshot& one) { return one.collectors[0].Succeeded(); }), nullptr);
  EXPECT_TRUE(sampler.Stop(Deadline::After(seconds(5))));
}

TEST(SamplerTest, ACostlyCollectorStretchesItsIntervalToItsShare) {
  Published published;
  Sampler sampler({},
                  One(kCostly,
                      [](int look) {
                        const CpuStopwatch stopwatch;
                        while (stopwatch.Elapsed() < milliseconds(20)) {
                        }
                        return Number(look);
                      }),
                  {milliseconds(10), std::make_shared<CpuBudget>(0.1)}, published.Callback());
  sampler.Start();
  const auto snapshot = published.WaitFor([](const Snapshot& one) { return one.collectors[0].collected; });
  ASSERT_NE(snapshot, nullptr);
  EXPECT_GE(snapshot->collectors[0].interval, milliseconds(200)) << "20 ms are a tenth of a core only every 200 ms";
}

}  // namespace
}  // namespace finwait::scheduling
