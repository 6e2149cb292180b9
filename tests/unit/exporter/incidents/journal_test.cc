#include "exporter/incidents/journal.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <vector>

#include "tests/unit/exporter/incidents/samples.h"

namespace finwait::incidents {
namespace {

using diagnosis::Cause;

class JournalTest : public testing::Test {
 protected:
  JournalTest() {
    char folder[] = "/tmp/finwait_journal_XXXXXX";
    folder_ = ::mkdtemp(folder);
  }
  ~JournalTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Journal> Started(std::int64_t now, std::size_t most_bytes = Store::kMostBytes) {
    auto store = Store::Open(folder_ / "incidents.db", most_bytes);
    EXPECT_TRUE(store) << store.error().message;
    auto history = (*store)->Load();
    EXPECT_TRUE((*store)->BeginRun(At(now)));
    return std::make_unique<Journal>(std::move(*store), std::move(*history), At(now),
                                     [this](const Result<void>& written) {
                                       const std::lock_guard lock(mutex_);
                                       told_.push_back(written.has_value());
                                     });
  }

  std::filesystem::path folder_;
  std::mutex mutex_;
  std::vector<bool> told_;
};

TEST_F(JournalTest, InMemoryItKeepsWhatItTakesInAndSaysThatItIsNotStored) {
  Journal journal(At(0));
  EXPECT_TRUE(journal.Latest()->incidents.empty());
  journal.Take(DiagnosisAt(10, {Stuck(443, Cause::kLocalDrop)}), {});
  ASSERT_EQ(journal.Latest()->incidents.size(), 1U);
  EXPECT_FALSE(journal.Latest()->stored);
  EXPECT_EQ(journal.CountersSince(), At(0));
}

TEST_F(JournalTest, WhatTakeReturnedFromIsInTheStore) {
  const auto journal = Started(0);
  journal->Take(DiagnosisAt(10, {Stuck(443, Cause::kLocalDrop, SiteAt(3))}), {{"a_total", 1}, {"b_total", 0}});
  const auto reader = Store::OpenToRead(folder_ / "incidents.db");
  ASSERT_TRUE(reader) << reader.error().message;
  const auto history = (*reader)->Load();
  ASSERT_TRUE(history);
  ASSERT_EQ(history->records.size(), 1U);
  EXPECT_EQ(history->records[0].cause, Cause::kLocalDrop);
  EXPECT_EQ(history->counters, (std::map<std::string, double>{{"a_total", 1}})) << "a zero needs no row";
  EXPECT_EQ(history->observed.back().to, At(10));
}

TEST_F(JournalTest, WhileNothingHappensItWritesSeldomThatItWatches) {
  const auto journal = Started(0);
  const auto watched_until = [&] { return (*Store::OpenToRead(folder_ / "incidents.db"))->Load()->observed.back().to; };
  journal->Take(DiagnosisAt(100, {}), {});
  EXPECT_EQ(watched_until(), At(100));
  journal->Take(DiagnosisAt(105, {}), {});
  EXPECT_EQ(watched_until(), At(100));
  journal->Take(DiagnosisAt(115, {}), {});
  EXPECT_EQ(watched_until(), At(115));
}

TEST_F(JournalTest, AnIncidentIsToldAfterARestartAndCountersGoOn) {
  {
    const auto journal = Started(0);
    journal->Take(DiagnosisAt(5, {Stuck(443, Cause::kLocalDrop, SiteAt(3))}), {});
    journal->Take(DiagnosisAt(10, {Stuck(443, Cause::kLocalDrop, SiteAt(3)), Stuck(80, std::nullopt)}),
                  {{"a_total", 4}});
  }
  const auto journal = Started(3600);
  const auto counted = journal->CountedBefore();
  ASSERT_EQ(counted.size(), 1U);
  EXPECT_EQ(counted.begin()->second.port, 443);
  EXPECT_EQ(journal->CountersBefore().at("a_total"), 4);
  EXPECT_EQ(journal->CountersSince(), At(0));
  journal->Take(DiagnosisAt(3610, {}), {{"a_total", 5}});
  const auto timeline = journal->Latest();
  ASSERT_EQ(timeline->incidents.size(), 2U);
  EXPECT_TRUE(timeline->stored);
  EXPECT_EQ(timeline->incidents[0].first, At(2));
  EXPECT_EQ(timeline->incidents[0].outcomes[static_cast<std::size_t>(Outcome::kUnobserved)], 1U);
  ASSERT_EQ(timeline->observed.size(), 2U);
  EXPECT_EQ(timeline->observed[0].to, At(10));
  EXPECT_EQ(timeline->observed[1].from, At(3600));
}

TEST_F(JournalTest, AFullStoreIsSaidOnceAndWhatWaitsIsWrittenLater) {
  {
    const auto journal = Started(0, 14 * 4096);
    std::uint16_t cookie = 1;
    for (int i = 0; i < 40; ++i) {
      std::vector<diagnosis::StuckSocket> stuck;
      for (int j = 0; j < 20; ++j, ++cookie) {
        stuck.push_back(Stuck(cookie, Cause::kLocalDrop, SiteAt(cookie, std::string(150, 'r'))));
      }
      journal->Take(DiagnosisAt(i, std::move(stuck)), {});
    }
    EXPECT_EQ(journal->Latest()->incidents.size() + journal->Latest()->not_listed, 800U) << "memory has them all";
  }
  const std::lock_guard lock(mutex_);
  EXPECT_EQ(told_, std::vector<bool>{false});
}

}  // namespace
}  // namespace finwait::incidents
