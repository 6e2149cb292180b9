#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "exporter/incidents/recorder.h"
#include "exporter/incidents/store.h"
#include "exporter/incidents/timeline.h"

namespace finwait::incidents {

/// What the service keeps of what has happened: records in memory, and on disk where it has a store. A thread of its
/// own writes, so that a disk that hangs or is full holds up no diagnosis: then records wait in memory, and are written
/// once it can. Take() belongs to one thread; Latest() to any.
class Journal {
 public:
  /// Called by the thread that writes, whenever writing begins to fail or works again.
  using Told = std::function<void(const Result<void>&)>;

  /// In memory alone.
  explicit Journal(Time now);
  /// With a store, just opened, and what it held.
  Journal(std::unique_ptr<Store> store, StoredHistory history, Time now, Told told);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Takes in a diagnosis, and `counters` by series: what has changed of them is stored. With a store it waits until
  /// that is written, or at most kPatience, so that a value that a scraper sees outlives this process.
  void Take(const diagnosis::Diagnosis& diagnosis, const std::map<std::string, double>& counters);
  static constexpr std::chrono::milliseconds kPatience{500};
  /// How often it is written that the program watches, while there is nothing else to write.
  static constexpr std::chrono::seconds kQuiet{15};

  /// Never null.
  std::shared_ptr<const Timeline> Latest() const;

  /// All records, in the order of their ids; called by any thread.
  std::vector<Record> Records() const;

  /// What counters had come to in earlier runs, by series; empty without a store.
  const std::map<std::string, double>& CountersBefore() const { return counters_before_; }
  /// Connections, by their ends, that were stuck and counted when the last run ended.
  const std::set<std::pair<Endpoint, Endpoint>>& CountedBefore() const { return counted_before_; }
  /// Since when counters count: the first run that the store knows, or this one.
  Time CountersSince() const { return counters_since_; }

 private:
  void Publish(Time now);
  void Write(const std::stop_token& stop);

  std::map<std::string, double> counters_before_;
  Time counters_since_;
  std::set<std::pair<Endpoint, Endpoint>> counted_before_;
  std::vector<Span> observed_;         // the last is this run
  mutable std::mutex recorder_mutex_;  // held while recorder_ changes, and where another thread reads it
  Recorder recorder_;
  std::map<std::string, double> counters_;  // as last taken
  std::unique_ptr<Store> store_;            // null: none; the writer's
  Told told_;
  Time handed_over_{};  // when there was last something to write

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::shared_ptr<const Timeline> latest_;
  StoreBatch waiting_;         // not yet written
  std::uint64_t taken_ = 0;    // diagnoses
  std::uint64_t written_ = 0;  // of those
  bool failing_ = false;       // the last try to write did not work
  std::jthread writer_;        // last: it uses all of the above
};

}  // namespace finwait::incidents
