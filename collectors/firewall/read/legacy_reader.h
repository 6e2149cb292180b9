#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/read/legacy_blob.h"
#include "collectors/firewall/read/reader_limits.h"

namespace finwait::firewall::read {

/// The two system calls behind legacy tables, as a seam for tests.
class LegacyKernel {
 public:
  virtual ~LegacyKernel() = default;
  /// IPT_SO_GET_INFO, IP6T_SO_GET_INFO. Makes the table if it is not there: ask only for tables that are.
  virtual Result<LegacyTableInfo> GetInfo(TableFamily family, const std::string& table) = 0;
  /// IPT_SO_GET_ENTRIES, IP6T_SO_GET_ENTRIES. errno EAGAIN when the table no longer has `size` bytes.
  virtual Result<std::vector<std::byte>> GetEntries(TableFamily family, const std::string& table,
                                                    std::uint32_t size) = 0;
};

/// The real ones, through a TCP socket of the family (a raw one would need CAP_NET_RAW as well as CAP_NET_ADMIN), in
/// the calling thread's network namespace.
class SocketLegacyKernel : public LegacyKernel {
 public:
  Result<LegacyTableInfo> GetInfo(TableFamily family, const std::string& table) override;
  Result<std::vector<std::byte>> GetEntries(TableFamily family, const std::string& table, std::uint32_t size) override;
};

/// What x_tables holds.
struct LegacyRuleset {
  std::vector<Table> tables;
  std::vector<UnreadPart> unread;
  /// Over all tables read and their names, without counters: changes when anything else does.
  std::uint64_t content_hash = 0;
};

/// Reads legacy tables without ever making one.
class LegacyReader {
 public:
  /// How often a table is read again that changes between the two calls.
  static constexpr int kAttempts = 3;

  LegacyReader(std::filesystem::path procfs, LegacyKernel& kernel, Deadline deadline, ReaderLimits limits = {})
      : procfs_(std::move(procfs)), kernel_(kernel), deadline_(deadline), limits_(limits) {}

  /// Every table that exists. nat is listed, its chains kNotRead: nothing in it drops what conntrack calls INVALID.
  LegacyRuleset ReadAll();

  /// The tables of `family` that exist in this namespace: <procfs>/thread-self/net/ip_tables_names. None where that
  /// file is absent, because then x_tables is not there. kPermission, with the remedy, where it may not be read.
  Result<std::vector<std::string>> TableNames(TableFamily family);

  /// One table, of which the caller knows from TableNames that it exists. At most `max_rules` rules.
  Result<LegacyTable> ReadTable(TableFamily family, const std::string& name, std::size_t max_rules);

 private:
  void ReadFamily(TableFamily family, LegacyRuleset& ruleset, std::size_t& rules_left);

  std::filesystem::path procfs_;
  LegacyKernel& kernel_;
  Deadline deadline_;
  ReaderLimits limits_;
};

}  // namespace finwait::firewall::read
