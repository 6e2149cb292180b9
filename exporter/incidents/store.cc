#include "exporter/incidents/store.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <string_view>
#include <unordered_map>

#include "collectors/base/text.h"
#include "collectors/base/unique_fd.h"
#include "exporter/incidents/sqlite.h"
#include "exporter/incidents/store_statements.h"

namespace finwait::incidents {
namespace {

// "FWIT": how file(1) and we tell our databases from those of others.
constexpr int kApplicationId = 0x46574954;
constexpr int kPageBytes = 4096;

constexpr firewall::TableFamily kFamilies[] = {firewall::TableFamily::kIpv4, firewall::TableFamily::kIpv6,
                                               firewall::TableFamily::kInet, firewall::TableFamily::kNetdev,
                                               firewall::TableFamily::kBridge};

// The value whose Name is `name`; nothing for a name that this version does not know.
template <typename Values>
auto ByName(const Values& values, std::string_view name) -> std::optional<std::decay_t<decltype(*std::begin(values))>> {
  for (const auto& value : values) {
    if (Name(value) == name) {
      return value;
    }
  }
  return std::nullopt;
}

std::int64_t Number(Time time) { return time.time_since_epoch().count(); }
Time TimeOf(std::int64_t milliseconds) { return Time(std::chrono::milliseconds(milliseconds)); }

// One store, one writer. flock, as SQLite's own locks are fcntl's and do not meet it; the descriptor stays open,
// because closing it would take SQLite's locks with it.
Result<UniqueFd> LockWhole(const std::filesystem::path& file) {
  UniqueFd lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) {
    return FailErrno("cannot open the store " + Quoted(file.string()), errno);
  }
  if (::flock(lock.Get(), LOCK_EX | LOCK_NB) != 0) {
    return errno == EWOULDBLOCK
               ? Fail(FailureReason::kError, "another process writes the store " + Quoted(file.string()) +
                                                 ": give each service a --storage.path of its own.")
               : FailErrno("cannot lock the store " + Quoted(file.string()), errno);
  }
  return lock;
}

std::string NotOurs(const std::filesystem::path& file) {
  return Quoted(file.string()) + " is not a store of finwait_exporter: give another --storage.path.";
}

// That the file is ours and of a schema that we know; a new one is empty.
Result<bool> IsNew(sqlite::Database& database, const std::filesystem::path& file) {
  const auto tables = database.Number(statements::kTables);
  if (!tables) {
    const int code = sqlite3_errcode(database.Get()) & 0xff;
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT) {
      return Fail(FailureReason::kError, "the store " + Quoted(file.string()) + " is damaged, or no store at all (" +
                                             sqlite3_errmsg(database.Get()) + "): move it away.");
    }
    return Failure(tables.error());
  }
  const auto application = database.Number("PRAGMA application_id");
  const auto schema = database.Number("PRAGMA user_version");
  if (!application || !schema) {
    return Failure(application ? schema.error() : application.error());
  }
  if (application->value_or(0) == 0 && tables->value_or(0) == 0) {
    return true;
  }
  if (application->value_or(0) != kApplicationId) {
    return Fail(FailureReason::kError, NotOurs(file));
  }
  if (schema->value_or(0) > Store::kSchema) {
    return Fail(FailureReason::kUnsupported,
                "the store " + Quoted(file.string()) + " was written by a newer version (schema " +
                    std::to_string(schema->value_or(0)) + ", and this one knows " + std::to_string(Store::kSchema) +
                    "): use that version, or give another --storage.path.");
  }
  return false;
}

}  // namespace

struct Store::Opened {
  UniqueFd lock;
  sqlite::Database database;
  std::int64_t run = 0;
  // The rows of drop sites by object, which records share. An entry holds its object, so that no other can get its
  // address.
  std::unordered_map<const diagnosis::DropSite*, std::pair<std::shared_ptr<const diagnosis::DropSite>, std::int64_t>>
      site_rows;
};

Store::Store(std::unique_ptr<Opened> opened) : opened_(std::move(opened)) {}
Store::~Store() = default;

std::filesystem::path Store::FileOf(const std::filesystem::path& path) {
  std::error_code error;
  const bool is_folder = !path.has_filename() || std::filesystem::is_directory(path, error);
  return is_folder ? path / "incidents.db" : path;
}

Result<std::unique_ptr<Store>> Store::Open(const std::filesystem::path& file, std::size_t most_bytes) {
  auto lock = LockWhole(file);
  if (!lock) {
    return Failure(lock.error());
  }
  auto database = sqlite::Database::Open(file.string(), SQLITE_OPEN_READWRITE);
  if (!database) {
    return Failure(database.error());
  }
  const auto is_new = IsNew(*database, file);
  if (!is_new) {
    return Failure(is_new.error());
  }
  // The log is not removed when the store is closed: the sandbox lets nobody remove a file.
  int persist = 1;
  sqlite3_file_control(database->Get(), "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
  const std::string bytes = std::to_string(kPageBytes);
  for (const std::string& sql : {
           "PRAGMA page_size=" + bytes,
           std::string("PRAGMA journal_mode=WAL"),
           std::string("PRAGMA synchronous=FULL"),
           std::string("PRAGMA temp_store=MEMORY"),
           std::string("PRAGMA cache_size=-512"),
           "PRAGMA journal_size_limit=" + std::to_string(1 << 20),
           "PRAGMA max_page_count=" + std::to_string(most_bytes / kPageBytes),
           "BEGIN IMMEDIATE; PRAGMA application_id=" + std::to_string(kApplicationId) +
               "; PRAGMA user_version=" + std::to_string(kSchema) + "; " + statements::kMakeTables + " COMMIT",
           std::string("PRAGMA wal_checkpoint(TRUNCATE)"),
       }) {
    if (const auto ran = database->Run(sql); !ran) {
      return Failure(ran.error());
    }
  }
  auto opened = std::make_unique<Opened>();
  opened->lock = std::move(*lock);
  opened->database = std::move(*database);
  return std::unique_ptr<Store>(new Store(std::move(opened)));
}

Result<std::unique_ptr<Store>> Store::OpenToRead(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    return error ? FailErrno("cannot open the store " + Quoted(file.string()), error.value())
                 : Fail(FailureReason::kUnsupported,
                        "there is no store " + Quoted(file.string()) +
                            ": give the --storage.path that the service has; without one it keeps nothing.");
  }
  auto database = sqlite::Database::Open(file.string(), SQLITE_OPEN_READONLY);
  if (!database) {
    return Failure(database.error());
  }
  const auto is_new = IsNew(*database, file);
  if (!is_new) {
    return Failure(is_new.error());
  }
  if (*is_new) {
    return Fail(FailureReason::kError, NotOurs(file));
  }
  auto opened = std::make_unique<Opened>();
  opened->database = std::move(*database);
  return std::unique_ptr<Store>(new Store(std::move(opened)));
}

namespace {

// Runs `sql` and has `take` read each row.
template <typename Take>
Result<void> ForEachRow(sqlite::Database& database, std::string_view sql, Take take) {
  auto statement = database.Prepare(sql);
  if (!statement) {
    return Failure(statement.error());
  }
  int code = SQLITE_ROW;
  while ((code = statement->Step()) == SQLITE_ROW) {
    take(*statement);
  }
  if (code != SQLITE_DONE) {
    return database.Problem("read");
  }
  return {};
}

// Runs a statement that gives no row, with these parameters.
Result<void> RunWith(sqlite::Database& database, std::string_view sql, std::initializer_list<std::int64_t> parameters) {
  auto statement = database.Prepare(sql);
  if (!statement) {
    return Failure(statement.error());
  }
  int number = 0;
  for (const std::int64_t parameter : parameters) {
    statement->Bind(++number, parameter);
  }
  if (statement->Step() != SQLITE_DONE) {
    return database.Problem("write");
  }
  return {};
}

diagnosis::DropSite SiteOfRow(const sqlite::Statement& row) {
  diagnosis::DropSite site;
  site.rule.backend = ByName(firewall::kBackends, row.Text(1)).value_or(firewall::Backend::kNft);
  site.rule.dialect = row.Integer(2) != 0 ? firewall::Dialect::kIptables : firewall::Dialect::kNft;
  site.rule.family = ByName(kFamilies, row.Text(3)).value_or(firewall::TableFamily::kInet);
  site.rule.table = row.Text(4);
  site.rule.chain = row.Text(5);
  if (!row.IsNull(6)) {
    site.rule.handle = static_cast<std::uint64_t>(row.Integer(6));
  }
  if (!row.IsNull(7)) {
    site.rule.index = static_cast<std::uint32_t>(row.Integer(7));
  }
  site.hook = ByName(firewall::kHooks, row.Text(8)).value_or(firewall::Hook::kOutput);
  site.rejects = row.Integer(9) != 0;
  site.rule_text = row.Text(10);
  return site;
}

Record RecordOfRow(const sqlite::Statement& row) {
  Record record;
  record.id = static_cast<std::uint64_t>(row.Integer(0));
  record.kind = ByName(kKinds, row.Text(1)).value_or(Kind::kStuck);
  record.first = TimeOf(row.Integer(2));
  record.last = TimeOf(row.Integer(3));
  record.outcome = ByName(kOutcomes, row.Text(4)).value_or(Outcome::kUnobserved);
  record.connections = static_cast<std::uint64_t>(row.Integer(5));
  record.cause = ByName(diagnosis::kCauses, row.Text(6));
  record.local = Endpoint::Parse(row.Text(7)).value_or(Endpoint());
  record.peer = Endpoint::Parse(row.Text(8)).value_or(Endpoint());
  record.state = ByName(diagnosis::kStuckStates, row.Text(9)).value_or(kernel::TcpState::kFinWait1);
  record.orphan = row.Integer(10) != 0;
  record.uid = static_cast<std::uint32_t>(row.Integer(11));
  record.tries = static_cast<std::uint32_t>(row.Integer(12));
  record.counted = row.Integer(14) != 0;
  return record;
}

}  // namespace

Result<void> Store::LoadParts(StoredHistory& history) {
  sqlite::Database& database = opened_->database;
  auto read = ForEachRow(database, statements::kRuns, [&](const sqlite::Statement& row) {
    history.observed.push_back({TimeOf(row.Integer(0)), TimeOf(row.Integer(1))});
  });
  if (!history.observed.empty()) {
    history.counters_since = history.observed.front().from;
  }
  if (read) {
    read = ForEachRow(database, statements::kCounters,
                      [&](const sqlite::Statement& row) { history.counters[row.Text(0)] = row.Real(1); });
  }
  std::unordered_map<std::int64_t, std::shared_ptr<const diagnosis::DropSite>> sites;
  if (read) {
    read = ForEachRow(database, statements::kSites, [&](const sqlite::Statement& row) {
      sites[row.Integer(0)] = std::make_shared<const diagnosis::DropSite>(SiteOfRow(row));
    });
  }
  if (read) {
    read = ForEachRow(database, statements::kConnections, [&](const sqlite::Statement& row) {
      Record& record = history.records.emplace_back(RecordOfRow(row));
      if (!row.IsNull(13)) {
        record.site = sites[row.Integer(13)];
      }
    });
  }
  if (read) {
    read = ForEachRow(database, statements::kTranslations, [&](const sqlite::Statement& row) {
      const auto found =
          std::ranges::lower_bound(history.records, static_cast<std::uint64_t>(row.Integer(0)), {}, &Record::id);
      const auto local = Endpoint::Parse(row.Text(1));
      const auto peer = Endpoint::Parse(row.Text(2));
      if (found != history.records.end() && found->id == static_cast<std::uint64_t>(row.Integer(0)) && local && peer) {
        found->translation = std::make_shared<const kernel::Translation>(kernel::Translation{*local, *peer});
      }
    });
  }
  std::map<std::string, std::shared_ptr<const std::string>> owners;
  if (read) {
    read = ForEachRow(database, statements::kOwners, [&](const sqlite::Statement& row) {
      const auto id = static_cast<std::uint64_t>(row.Integer(0));
      const auto found = std::ranges::lower_bound(history.records, id, {}, &Record::id);
      if (found != history.records.end() && found->id == id) {
        auto& shared = owners[row.Text(1)];
        shared = shared != nullptr ? shared : std::make_shared<const std::string>(row.Text(1));
        found->owner = shared;
      }
    });
  }
  return read;
}

Result<StoredHistory> Store::Load() {
  sqlite::Database& database = opened_->database;
  if (const auto begun = database.Run("BEGIN"); !begun) {  // one state of the store for all that follows
    return Failure(begun.error());
  }
  StoredHistory history;
  const auto read = LoadParts(history);
  const auto ended = database.Run("COMMIT");
  if (!read || !ended) {
    return Failure(read ? ended.error() : read.error());
  }
  return history;
}

Result<void> Store::BeginRun(Time now) {
  sqlite::Database& database = opened_->database;
  if (auto inserted = RunWith(database, statements::kBeginRun, {Number(now)}); !inserted) {
    return inserted;
  }
  opened_->run = sqlite3_last_insert_rowid(database.Get());
  return database.Run(statements::kDropOldRuns);
}

Result<std::optional<std::int64_t>> Store::SiteOf(const Record& record) {
  if (record.site == nullptr) {
    return std::optional<std::int64_t>();
  }
  const auto known = opened_->site_rows.find(record.site.get());
  if (known != opened_->site_rows.end()) {
    return std::optional(known->second.second);
  }
  sqlite::Database& database = opened_->database;
  auto insert = database.Prepare(statements::kPutSite);
  if (!insert) {
    return Failure(insert.error());
  }
  const diagnosis::DropSite& site = *record.site;
  insert->Bind(1, Name(site.rule.backend));
  insert->Bind(2, std::int64_t{site.rule.dialect == firewall::Dialect::kIptables});
  insert->Bind(3, Name(site.rule.family));
  insert->Bind(4, std::string_view(site.rule.table));
  insert->Bind(5, std::string_view(site.rule.chain));
  if (site.rule.handle) {
    insert->Bind(6, static_cast<std::int64_t>(*site.rule.handle));
  }
  if (site.rule.index) {
    insert->Bind(7, std::int64_t{*site.rule.index});
  }
  insert->Bind(8, Name(site.hook));
  insert->Bind(9, std::int64_t{site.rejects});
  insert->Bind(10, std::string_view(site.rule_text));
  if (insert->Step() != SQLITE_DONE) {
    return database.Problem("write");
  }
  const std::int64_t row = sqlite3_last_insert_rowid(database.Get());
  opened_->site_rows[record.site.get()] = {record.site, row};
  return std::optional(row);
}

Result<void> Store::PutRecords(const std::map<std::uint64_t, Record>& records) {
  sqlite::Database& database = opened_->database;
  auto put = database.Prepare(statements::kPutConnection);
  if (!put) {
    return Failure(put.error());
  }
  for (const auto& [id, record] : records) {
    const auto site = SiteOf(record);
    if (!site) {
      return Failure(site.error());
    }
    const std::string local = record.local.Text();
    const std::string peer = record.peer.Text();
    put->Reset();
    put->Bind(1, static_cast<std::int64_t>(id));
    put->Bind(2, Name(record.kind));
    put->Bind(3, Number(record.first));
    put->Bind(4, Number(record.last));
    put->Bind(5, Name(record.outcome));
    put->Bind(6, static_cast<std::int64_t>(record.connections));
    if (record.cause) {
      put->Bind(7, Name(*record.cause));
    } else {
      put->BindNull(7);
    }
    put->Bind(8, std::string_view(local));
    put->Bind(9, std::string_view(peer));
    put->Bind(10, Name(record.state));
    put->Bind(11, std::int64_t{record.orphan});
    put->Bind(12, std::int64_t{record.uid});
    put->Bind(13, std::int64_t{record.tries});
    if (*site) {
      put->Bind(14, **site);
    } else {
      put->BindNull(14);
    }
    put->Bind(15, std::int64_t{record.counted});
    if (put->Step() != SQLITE_DONE) {
      return database.Problem("write");
    }
  }
  return {};
}

Result<void> Store::PutTranslations(const std::map<std::uint64_t, Record>& records) {
  sqlite::Database& database = opened_->database;
  auto put = database.Prepare(statements::kPutTranslation);
  if (!put) {
    return Failure(put.error());
  }
  for (const auto& [id, record] : records) {
    if (record.translation == nullptr) {
      continue;
    }
    const std::string local = record.translation->local.Text();
    const std::string peer = record.translation->peer.Text();
    put->Reset();
    put->Bind(1, static_cast<std::int64_t>(id));
    put->Bind(2, std::string_view(local));
    put->Bind(3, std::string_view(peer));
    if (put->Step() != SQLITE_DONE) {
      return database.Problem("write");
    }
  }
  return {};
}

Result<void> Store::PutOwners(const std::map<std::uint64_t, Record>& records) {
  sqlite::Database& database = opened_->database;
  auto put = database.Prepare(statements::kPutOwner);
  if (!put) {
    return Failure(put.error());
  }
  for (const auto& [id, record] : records) {
    if (record.owner == nullptr) {
      continue;
    }
    put->Reset();
    put->Bind(1, static_cast<std::int64_t>(id));
    put->Bind(2, std::string_view(*record.owner));
    if (put->Step() != SQLITE_DONE) {
      return database.Problem("write");
    }
  }
  return {};
}

Result<void> Store::PutCounters(const std::map<std::string, double>& counters) {
  sqlite::Database& database = opened_->database;
  auto put = database.Prepare(statements::kPutCounter);
  if (!put) {
    return Failure(put.error());
  }
  for (const auto& [series, value] : counters) {
    put->Reset();
    put->Bind(1, std::string_view(series));
    put->Bind(2, value);
    if (put->Step() != SQLITE_DONE) {
      return database.Problem("write");
    }
  }
  return {};
}

Result<void> Store::WriteParts(const StoreBatch& batch) {
  sqlite::Database& database = opened_->database;
  for (const char* drop : {statements::kDropConnections, statements::kDropTranslations, statements::kDropOwners}) {
    if (auto dropped = RunWith(database, drop, {static_cast<std::int64_t>(batch.oldest_id)}); !dropped) {
      return dropped;
    }
  }
  if (auto put = PutRecords(batch.records); !put) {
    return put;
  }
  if (auto put = PutTranslations(batch.records); !put) {
    return put;
  }
  if (auto put = PutOwners(batch.records); !put) {
    return put;
  }
  if (auto put = PutCounters(batch.counters); !put) {
    return put;
  }
  return RunWith(database, statements::kWatched, {Number(batch.now), opened_->run});
}

Result<void> Store::Write(const StoreBatch& batch) {
  sqlite::Database& database = opened_->database;
  // Now and then the rows of rules that no record names any more are dropped.
  constexpr std::size_t kManySites = 512;
  const bool clean_up = opened_->site_rows.size() > kManySites;
  if (clean_up) {
    opened_->site_rows.clear();
  }
  Result<void> written = database.Run("BEGIN IMMEDIATE");
  if (!written) {
    return written;
  }
  written = WriteParts(batch);
  if (written && clean_up) {
    written = database.Run(statements::kDropUnusedSites);
  }
  if (written) {
    written = database.Run("COMMIT");
  }
  if (!written) {
    (void)database.Run("ROLLBACK");  // SQLite may have rolled back by itself
    opened_->site_rows.clear();      // rows that were just made are gone
  }
  return written;
}

}  // namespace finwait::incidents
