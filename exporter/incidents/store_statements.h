#pragma once

/// The store's tables and what is asked of them, as of Store::kSchema. Times are Unix time in milliseconds.
/// Enumerations are stored by name: their order in the code may change.
namespace finwait::incidents::statements {

/// Runs with an SQLite that has them already, too.
inline constexpr const char* kMakeTables =
    "CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, started INTEGER NOT NULL, last INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS sites (id INTEGER PRIMARY KEY, backend TEXT NOT NULL, iptables INTEGER NOT NULL,"
    " family TEXT NOT NULL, table_name TEXT NOT NULL, chain TEXT NOT NULL, handle INTEGER, position INTEGER,"
    " hook TEXT NOT NULL, rejects INTEGER NOT NULL, rule TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS connections (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, first INTEGER NOT NULL,"
    " last INTEGER NOT NULL, outcome TEXT NOT NULL, count INTEGER NOT NULL, cause TEXT, local TEXT NOT NULL,"
    " peer TEXT NOT NULL, state TEXT NOT NULL, orphan INTEGER NOT NULL, uid INTEGER NOT NULL, tries INTEGER NOT NULL,"
    " counted INTEGER NOT NULL, site INTEGER);"
    "CREATE TABLE IF NOT EXISTS translations (id INTEGER PRIMARY KEY, local TEXT NOT NULL, peer TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS owners (id INTEGER PRIMARY KEY, name TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS counters (series TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID;";

inline constexpr const char* kTables = "SELECT count(*) FROM sqlite_master";

inline constexpr const char* kRuns = "SELECT started, last FROM runs ORDER BY id";
inline constexpr const char* kCounters = "SELECT series, value FROM counters";
inline constexpr const char* kSites =
    "SELECT id, backend, iptables, family, table_name, chain, handle, position, hook, rejects, rule FROM sites";
inline constexpr const char* kConnections =
    "SELECT id, kind, first, last, outcome, count, cause, local, peer, state, orphan, uid, tries, site,"
    " counted FROM connections ORDER BY id";

/// The ends of a connection beyond NAT, by its id.
inline constexpr const char* kTranslations = "SELECT id, local, peer FROM translations ORDER BY id";

/// What a connection belonged to, by its id.
inline constexpr const char* kOwners = "SELECT id, name FROM owners ORDER BY id";

inline constexpr const char* kBeginRun = "INSERT INTO runs (started, last) VALUES (?1, ?1)";
/// The first run stays: counters count since then. A service that starts again and again must not fill the store.
inline constexpr const char* kDropOldRuns =
    "DELETE FROM runs WHERE id NOT IN (SELECT id FROM runs ORDER BY id DESC LIMIT 1000)"
    " AND id > (SELECT min(id) FROM runs)";
inline constexpr const char* kWatched = "UPDATE runs SET last = ?1 WHERE id = ?2";

inline constexpr const char* kPutSite =
    "INSERT INTO sites (backend, iptables, family, table_name, chain, handle, position, hook, rejects, rule)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
inline constexpr const char* kDropUnusedSites =
    "DELETE FROM sites WHERE id NOT IN (SELECT site FROM connections WHERE site IS NOT NULL)";
inline constexpr const char* kPutConnection =
    "INSERT OR REPLACE INTO connections (id, kind, first, last, outcome, count, cause, local, peer, state, orphan, uid,"
    " tries, site, counted) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
inline constexpr const char* kDropConnections = "DELETE FROM connections WHERE id < ?1";
inline constexpr const char* kPutTranslation =
    "INSERT OR REPLACE INTO translations (id, local, peer) VALUES (?1, ?2, ?3)";
inline constexpr const char* kDropTranslations = "DELETE FROM translations WHERE id < ?1";
inline constexpr const char* kPutOwner = "INSERT OR REPLACE INTO owners (id, name) VALUES (?1, ?2)";
inline constexpr const char* kDropOwners = "DELETE FROM owners WHERE id < ?1";
inline constexpr const char* kPutCounter = "INSERT OR REPLACE INTO counters (series, value) VALUES (?1, ?2)";

}  // namespace finwait::incidents::statements
