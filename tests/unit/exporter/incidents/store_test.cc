#include "exporter/incidents/store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "tests/unit/exporter/incidents/samples.h"

namespace finwait::incidents {
namespace {

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    char folder[] = "/tmp/finwait_store_XXXXXX";
    folder_ = ::mkdtemp(folder);
    file_ = folder_ / "incidents.db";
  }
  ~StoreTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Store> Opened(std::size_t most_bytes = Store::kMostBytes) {
    auto store = Store::Open(file_, most_bytes);
    EXPECT_TRUE(store) << (store ? "" : store.error().message);
    return store ? std::move(*store) : nullptr;
  }
  std::string WhyNot() {
    const auto store = Store::Open(file_);
    return store ? "" : store.error().message;
  }
  StoredHistory Read() {
    const auto store = Store::OpenToRead(file_);
    EXPECT_TRUE(store) << (store ? "" : store.error().message);
    return store ? *(*store)->Load() : StoredHistory();
  }
  void Sql(const char* sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(file_.c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
  }
  static StoreBatch BatchOf(std::vector<Record> records, std::int64_t now = 100) {
    StoreBatch batch;
    for (Record& record : records) {
      batch.records.emplace(record.id, record);
    }
    batch.now = At(now);
    return batch;
  }

  std::filesystem::path folder_;
  std::filesystem::path file_;
};

TEST_F(StoreTest, WhatIsWrittenIsReadAgain) {
  Record stuck = RecordOf(1, 0, 90, SiteAt(7, "meta mark 1 drop"));
  stuck.translation = std::make_shared<const kernel::Translation>(
      kernel::Translation{*Endpoint::Parse("198.51.100.1:5"), *Endpoint::Parse("198.51.100.2:6")});
  stuck.owner = std::make_shared<const std::string>("unit web.service");
  Record reset = RecordOf(2, 50, 60);
  reset.kind = Kind::kReset;
  reset.outcome = Outcome::kCounted;
  reset.connections = 12;
  reset.cause.reset();
  {
    const auto store = Opened();
    ASSERT_TRUE(store->BeginRun(At(-10)));
    StoreBatch batch = BatchOf({stuck, reset});
    batch.counters["finwait_x_total{a=\"b\"}"] = 3.5;
    ASSERT_TRUE(store->Write(batch));
    stuck.outcome = Outcome::kEnded;
    ASSERT_TRUE(store->Write(BatchOf({stuck}, 130)));
  }
  const StoredHistory history = Read();
  ASSERT_EQ(history.records.size(), 2U);
  const Record& first = history.records[0];
  EXPECT_EQ(first.first, At(0));
  EXPECT_EQ(first.last, At(90));
  EXPECT_EQ(first.outcome, Outcome::kEnded);
  EXPECT_EQ(first.cause, diagnosis::Cause::kLocalDrop);
  EXPECT_EQ(first.local, stuck.local);
  EXPECT_EQ(first.peer, stuck.peer);
  EXPECT_EQ(first.state, kernel::TcpState::kLastAck);
  EXPECT_EQ(first.tries, 8U);
  ASSERT_NE(first.site, nullptr);
  EXPECT_EQ(*first.site, *stuck.site);
  ASSERT_NE(first.translation, nullptr);
  EXPECT_EQ(*first.translation, *stuck.translation);
  ASSERT_NE(first.owner, nullptr);
  EXPECT_EQ(*first.owner, "unit web.service");
  EXPECT_EQ(history.records[1].owner, nullptr);
  EXPECT_EQ(history.records[1].translation, nullptr);
  EXPECT_EQ(history.records[1].connections, 12U);
  EXPECT_EQ(history.records[1].kind, Kind::kReset);
  EXPECT_EQ(history.records[1].cause, std::nullopt);
  EXPECT_EQ(history.counters.at("finwait_x_total{a=\"b\"}"), 3.5);
  EXPECT_EQ(history.counters_since, At(-10));
  ASSERT_EQ(history.observed.size(), 1U);
  EXPECT_EQ(history.observed[0].to, At(130));
}

TEST_F(StoreTest, WhatWasAcknowledgedOutlivesKillMinusNine) {
  int acknowledged[2];
  ASSERT_EQ(::pipe(acknowledged), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto store = Store::Open(file_);
    if (!store || !(*store)->BeginRun(At(0))) {
      ::_exit(1);
    }
    for (std::uint64_t id = 1;; ++id) {
      if (!(*store)->Write(BatchOf({RecordOf(id, 0, 10, SiteAt(id % 3))}))) {
        ::_exit(2);
      }
      if (::write(acknowledged[1], &id, sizeof(id)) != sizeof(id)) {
        ::_exit(3);
      }
    }
  }
  std::uint64_t last = 0;
  while (last < 20) {
    ASSERT_EQ(::read(acknowledged[0], &last, sizeof(last)), static_cast<ssize_t>(sizeof(last)));
  }
  ::kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << status;
  const auto store = Opened();
  ASSERT_NE(store, nullptr);
  const auto history = store->Load();
  ASSERT_TRUE(history);
  EXPECT_GE(history->records.size(), last);
  EXPECT_EQ(history->records.back().id, history->records.size());
}

TEST_F(StoreTest, ATornTailIsRolledBackAndTheRestStays) {
  {
    const auto store = Opened();
    ASSERT_TRUE(store->BeginRun(At(0)));
    ASSERT_TRUE(store->Write(BatchOf({RecordOf(1, 0, 10)})));
    const auto kept = std::filesystem::file_size(file_.string() + "-wal");
    ASSERT_TRUE(store->Write(BatchOf({RecordOf(2, 0, 10)})));
    // As the disk is when the machine stops between the two: the log ends in the middle of the second write.
    std::filesystem::copy_file(file_, folder_ / "torn.db");
    std::filesystem::copy_file(file_.string() + "-wal", folder_ / "torn.db-wal");
    std::filesystem::resize_file(folder_ / "torn.db-wal", kept + 100);
  }
  file_ = folder_ / "torn.db";
  const auto store = Opened();
  ASSERT_NE(store, nullptr);
  const auto history = store->Load();
  ASSERT_TRUE(history);
  ASSERT_EQ(history->records.size(), 1U);
  EXPECT_TRUE(store->Write(BatchOf({RecordOf(3, 0, 10)}))) << "and it goes on";
}

TEST_F(StoreTest, WithoutSpaceNothingIsLostThatWasWrittenAndItGoesOn) {
  const auto store = Opened(20 * 4096);
  ASSERT_TRUE(store->BeginRun(At(0)));
  std::uint64_t id = 1;
  Result<void> written;
  for (; id < 1000 && written; ++id) {
    written = store->Write(BatchOf({RecordOf(id, 0, 10, SiteAt(id, std::string(300, 'r')))}));
  }
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().message.find("no space is left for it"), std::string::npos) << written.error().message;
  auto history = store->Load();
  ASSERT_TRUE(history);
  EXPECT_EQ(history->records.size(), id - 2);
  StoreBatch batch = BatchOf({RecordOf(id, 0, 10)});
  batch.oldest_id = id - 3;
  EXPECT_TRUE(store->Write(batch)) << "what it drops makes room";
}

TEST_F(StoreTest, RecordsBeforeTheOldestAreDropped) {
  const auto store = Opened();
  ASSERT_TRUE(store->Write(BatchOf({RecordOf(1, 0, 10), RecordOf(2, 0, 10)})));
  StoreBatch batch = BatchOf({RecordOf(3, 0, 10)});
  batch.oldest_id = 2;
  ASSERT_TRUE(store->Write(batch));
  const auto history = store->Load();
  ASSERT_EQ(history->records.size(), 2U);
  EXPECT_EQ(history->records[0].id, 2U);
}

TEST_F(StoreTest, ANewerSchemaIsRefusedInOneSentence) {
  (void)Opened();
  Sql("PRAGMA user_version=2");
  EXPECT_NE(WhyNot().find("was written by a newer version (schema 2, and this one knows 1): use that version"),
            std::string::npos)
      << WhyNot();
  EXPECT_FALSE(Store::OpenToRead(file_));
}

TEST_F(StoreTest, WhatIsNoStoreIsLeftAsItIs) {
  Sql("CREATE TABLE theirs (x); PRAGMA user_version=1");
  EXPECT_NE(WhyNot().find("is not a store of finwait_exporter"), std::string::npos) << WhyNot();
  std::ofstream(file_, std::ios::trunc) << std::string(5000, 'x');
  EXPECT_NE(WhyNot().find("is damaged, or no store at all"), std::string::npos) << WhyNot();
  file_ = folder_ / "nowhere" / "incidents.db";
  EXPECT_NE(WhyNot().find("No such file or directory"), std::string::npos) << WhyNot();
}

TEST_F(StoreTest, ASecondWriterIsRefusedAndAReaderIsNot) {
  const auto first = Opened();
  ASSERT_TRUE(first->Write(BatchOf({RecordOf(1, 0, 10)})));
  EXPECT_NE(WhyNot().find("another process writes the store"), std::string::npos) << WhyNot();
  EXPECT_EQ(Read().records.size(), 1U);
}

TEST_F(StoreTest, ReadingWhereThereIsNoneSaysWhatToGive) {
  const auto store = Store::OpenToRead(file_);
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().message.find("give the --storage.path that the service has"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(StoreTest, AFolderHoldsOneAndAnyOtherPathIsIt) {
  EXPECT_EQ(Store::FileOf(folder_), file_);
  EXPECT_EQ(Store::FileOf("/var/lib/x/"), "/var/lib/x/incidents.db");
  EXPECT_EQ(Store::FileOf("/var/lib/x.db"), "/var/lib/x.db");
}

TEST_F(StoreTest, FilesBelongToTheServiceAlone) {
  (void)Opened();
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(file_).permissions() & (perms::group_all | perms::others_all), perms::none);
}

}  // namespace
}  // namespace finwait::incidents
