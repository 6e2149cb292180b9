#include "exporter/incidents/sqlite.h"

#include "collectors/base/text.h"

namespace finwait::incidents::sqlite {

std::string Statement::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return text == nullptr ? "" : std::string(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
}

Result<Database> Database::Open(const std::string& path, int flags) {
  Database database;
  database.path_ = path;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  database.database_.reset(handle);
  if (handle == nullptr) {
    return Fail(FailureReason::kError, "open the store: there is no memory left.");
  }
  if (code != SQLITE_OK) {
    return database.Problem("open");
  }
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, 1000);
  return database;
}

Failure Database::Problem(std::string_view operation) const {
  const int code = sqlite3_errcode(database_.get());
  const int system = sqlite3_system_errno(database_.get());
  Error error = ErrnoError("", system);  // its reason; 0 is none
  error.message = "cannot " + std::string(operation) + " the store " + Quoted(path_) + ": " +
                  sqlite3_errmsg(database_.get()) + (code == SQLITE_FULL ? " (no space is left for it)" : "") + ".";
  return Failure(std::move(error));
}

Result<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) {
    return Problem("read");
  }
  return Statement(statement);
}

Result<void> Database::Run(const std::string& sql) {
  if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Problem("write");
  }
  return {};
}

Result<std::optional<std::int64_t>> Database::Number(std::string_view sql) {
  auto statement = Prepare(sql);
  if (!statement) {
    return Failure(statement.error());
  }
  const int code = statement->Step();
  if (code == SQLITE_ROW) {
    return std::optional(statement->Integer(0));
  }
  if (code != SQLITE_DONE) {
    return Problem("read");
  }
  return std::optional<std::int64_t>();
}

}  // namespace finwait::incidents::sqlite
