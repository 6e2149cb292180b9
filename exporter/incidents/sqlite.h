#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "collectors/base/result.h"

/// SQLite's handles as values that close themselves, and its errors as sentences.
namespace finwait::incidents::sqlite {

/// One statement, prepared once and run again and again.
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  /// The parameters count from 1. What is bound must stay until Step.
  void Bind(int parameter, std::int64_t value) { sqlite3_bind_int64(statement_.get(), parameter, value); }
  void Bind(int parameter, double value) { sqlite3_bind_double(statement_.get(), parameter, value); }
  void Bind(int parameter, std::string_view value) {
    sqlite3_bind_text(statement_.get(), parameter, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
  }
  void BindNull(int parameter) { sqlite3_bind_null(statement_.get(), parameter); }

  /// SQLITE_ROW, SQLITE_DONE, or an error's code.
  int Step() { return sqlite3_step(statement_.get()); }
  void Reset() { sqlite3_reset(statement_.get()); }

  /// The columns count from 0.
  bool IsNull(int column) const { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }
  std::int64_t Integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  double Real(int column) const { return sqlite3_column_double(statement_.get(), column); }
  std::string Text(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// One connection to one file.
class Database {
 public:
  /// `flags`: as sqlite3_open_v2 takes them.
  static Result<Database> Open(const std::string& path, int flags);

  Result<Statement> Prepare(std::string_view sql);
  /// Runs statements that give no row, or whose rows do not matter.
  Result<void> Run(const std::string& sql);
  /// The first column of the first row; nothing where there is no row.
  Result<std::optional<std::int64_t>> Number(std::string_view sql);
  /// What went wrong last, with the file's name, as a sentence of a log or of a terminal.
  Failure Problem(std::string_view operation) const;
  sqlite3* Get() const { return database_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };
  std::string path_;
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace finwait::incidents::sqlite
