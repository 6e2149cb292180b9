#include "exporter/incidents/journal.h"

#include <algorithm>
#include <utility>

namespace finwait::incidents {
namespace {

std::set<std::pair<Endpoint, Endpoint>> CountedOf(const StoredHistory& history) {
  std::set<std::pair<Endpoint, Endpoint>> counted;
  for (const Record& record : history.records) {
    if (record.outcome == Outcome::kOngoing && record.counted) {
      counted.insert({record.local, record.peer});
    }
  }
  return counted;
}

std::vector<Record> TakeRecords(StoredHistory& history) { return std::exchange(history.records, {}); }

// What waits to be written again, with what has come since: that is newer.
void MergeInto(StoreBatch& newer, StoreBatch older) {
  newer.records.merge(older.records);
  newer.counters.merge(older.counters);
  newer.oldest_id = std::max(newer.oldest_id, older.oldest_id);
  newer.now = std::max(newer.now, older.now);
  newer.records.erase(newer.records.begin(), newer.records.lower_bound(newer.oldest_id));
}

}  // namespace

Journal::Journal(Time now) : counters_since_(now), observed_{{now, now}} { Publish(now); }

Journal::Journal(std::unique_ptr<Store> store, StoredHistory history, Time now, Told told)
    : counters_before_(std::move(history.counters)),
      counters_since_(history.counters_since.value_or(now)),
      counted_before_(CountedOf(history)),
      observed_(std::move(history.observed)),
      recorder_(TakeRecords(history)),
      store_(std::move(store)),
      told_(std::move(told)) {
  observed_.push_back({now, now});
  Publish(now);
  writer_ = std::jthread([this](const std::stop_token& stop) { Write(stop); });
}

Journal::~Journal() = default;

void Journal::Publish(Time now) {
  observed_.back().to = now;
  auto timeline = std::make_shared<const Timeline>(MakeTimeline(recorder_.Records(), observed_, store_ != nullptr));
  const std::lock_guard lock(mutex_);
  latest_ = std::move(timeline);
}

std::shared_ptr<const Timeline> Journal::Latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

std::vector<Record> Journal::Records() const {
  const std::lock_guard lock(recorder_mutex_);
  return {recorder_.Records().begin(), recorder_.Records().end()};
}

void Journal::Take(const diagnosis::Diagnosis& diagnosis, const std::map<std::string, double>& counters) {
  const Time now = std::chrono::time_point_cast<std::chrono::milliseconds>(diagnosis.at);
  {
    const std::lock_guard lock(recorder_mutex_);
    recorder_.Update(diagnosis);
  }
  Publish(now);
  StoreBatch batch;
  for (Record& record : recorder_.TakeChanges()) {
    const std::uint64_t id = record.id;
    batch.records.emplace(id, std::move(record));
  }
  if (store_ == nullptr) {
    return;
  }
  for (const auto& [series, value] : counters) {
    const auto before = counters_.find(series);
    if (before == counters_.end() ? value != 0 : before->second != value) {
      batch.counters.emplace(series, value);
    }
  }
  counters_ = counters;
  batch.oldest_id = recorder_.Records().empty() ? 0 : recorder_.Records().front().id;
  batch.now = now;
  const bool quiet =
      batch.records.empty() && batch.counters.empty() && now >= handed_over_ && now - handed_over_ < kQuiet;
  std::unique_lock lock(mutex_);
  if (quiet && !failing_) {
    return;
  }
  handed_over_ = now;
  MergeInto(batch, std::move(waiting_));
  waiting_ = std::move(batch);
  const std::uint64_t mine = ++taken_;
  changed_.notify_all();
  if (!failing_) {
    changed_.wait_for(lock, kPatience, [&] { return written_ >= mine || failing_; });
  }
}

void Journal::Write(const std::stop_token& stop) {
  // A try that fails is not repeated faster than diagnoses come.
  std::uint64_t tried = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, stop, [&] { return taken_ > tried; });
    if (taken_ == tried) {
      return;  // it is to end, and all is written or cannot be
    }
    tried = taken_;
    StoreBatch batch = std::exchange(waiting_, {});
    lock.unlock();
    const Result<void> written = store_->Write(batch);
    lock.lock();
    if (written) {
      written_ = tried;
    } else {
      MergeInto(waiting_, std::move(batch));
    }
    const bool news = std::exchange(failing_, !written) != !written;
    changed_.notify_all();
    if (news && told_) {
      lock.unlock();
      told_(written);
      lock.lock();
    }
  }
}

}  // namespace finwait::incidents
