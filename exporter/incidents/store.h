#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collectors/base/result.h"
#include "exporter/incidents/record.h"

namespace finwait::incidents {

/// What a store holds.
struct StoredHistory {
  std::vector<Record> records;             ///< in the order of their ids; those of one rule share their drop site
  std::map<std::string, double> counters;  ///< what counters had come to, by series as the text format writes it
  std::optional<Time> counters_since;      ///< when the first of those runs began; nothing in a new store
  std::vector<Span> observed;              ///< when the program watched, oldest first
};

/// What is written at once.
struct StoreBatch {
  std::map<std::uint64_t, Record> records;  ///< new or changed, by id
  std::map<std::string, double> counters;   ///< those that have changed
  std::uint64_t oldest_id = 0;              ///< records before that are dropped
  Time now{};                               ///< the program has watched until then
};

/// Records and counters on disk, in an SQLite database in WAL mode. What Write() has acknowledged is still there when
/// the process is killed the moment after, and when the machine loses power (synchronous=FULL); what was half written
/// is rolled back when it is opened next. It holds at most kMostBytes, beside a log of a few MB. Not thread-safe.
class Store {
 public:
  static constexpr std::size_t kMostBytes = 16 << 20;
  /// What this program writes. A store with a higher one is refused, as nobody knows what it means.
  static constexpr int kSchema = 1;

  /// The file that a value of --storage.path names: itself, or incidents.db in it where it is a folder (or ends in
  /// '/').
  static std::filesystem::path FileOf(const std::filesystem::path& path);

  /// Opens the store for the service, and makes it where there is none. Every file that writing takes is open
  /// afterwards, so that the sandbox may refuse to open any. One process at a time; `most_bytes`: of the database.
  static Result<std::unique_ptr<Store>> Open(const std::filesystem::path& file, std::size_t most_bytes = kMostBytes);
  /// Opens an existing store for reading, while a service writes it or not.
  static Result<std::unique_ptr<Store>> OpenToRead(const std::filesystem::path& file);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  Result<StoredHistory> Load();
  /// Notes that the program watches from `now` on. Call once, before the first Write().
  Result<void> BeginRun(Time now);
  /// Writes all of `batch` or, with an error, nothing of it.
  Result<void> Write(const StoreBatch& batch);

 private:
  struct Opened;
  explicit Store(std::unique_ptr<Opened> opened);
  Result<void> LoadParts(StoredHistory& history);
  Result<void> WriteParts(const StoreBatch& batch);
  Result<void> PutRecords(const std::map<std::uint64_t, Record>& records);
  Result<void> PutTranslations(const std::map<std::uint64_t, Record>& records);
  Result<void> PutOwners(const std::map<std::uint64_t, Record>& records);
  Result<void> PutCounters(const std::map<std::string, double>& counters);
  Result<std::optional<std::int64_t>> SiteOf(const Record& record);

  std::unique_ptr<Opened> opened_;
};

}  // namespace finwait::incidents
