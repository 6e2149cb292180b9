#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/read/legacy_reader.h"
#include "collectors/firewall/read/nft_reader.h"
#include "collectors/firewall/read/reader_limits.h"
#include "collectors/kernel/host.h"

namespace finwait::firewall::read {

/// Reads parts of the rules that a collection leaves out. Opens its channel with the first read of nftables; a legacy
/// table is fetched whole and kept. Ask only for tables of a ruleset that was read in the same namespace: these exist,
/// and so do their subsystems. Not thread-safe; keep one for as long as a batch of reads lasts.
class RulePartReader {
 public:
  /// Everything that is asked has to be answered by `deadline`. `legacy`: a test's own kernel; null for the real one.
  RulePartReader(kernel::Host host, Deadline deadline, ReaderLimits limits = {},
                 std::shared_ptr<LegacyKernel> legacy = nullptr);
  RulePartReader(const RulePartReader&) = delete;
  RulePartReader& operator=(const RulePartReader&) = delete;

  /// The rules of a chain that the model gives as kNotRead or not at all. kUnsupported when there is no such chain.
  Result<std::shared_ptr<const Chain>> ReadChain(const Table& table, const std::string& chain);
  /// The whole of a legacy table.
  Result<Table> ReadLegacyTable(const Table& table);
  /// A set that only such rules refer to.
  Result<std::shared_ptr<const Set>> ReadSet(const Table& table, const std::string& set);
  /// The element that `key` (key_length bytes, as in the registers) hits now, in a set that is not kComplete, is
  /// dynamic or has timeouts; nothing when none does. Not for sets with catch-all elements only: those are in the
  /// model.
  Result<std::optional<SetElement>> FindElement(const Table& table, const Set& set, const Value& key);
  /// Whether an accounting object (`-m nfacct --nfacct-name`) has a quota. Only for names that a rule has.
  Result<bool> HasQuota(const std::string& accounting_object);

 private:
  using Key = std::tuple<Backend, TableFamily, std::string, std::string>;  ///< backend, family, table, chain or set

  Result<NftReader*> Nft();
  Result<std::shared_ptr<const Chain>> ReadNftChain(const Table& table, const std::string& chain);
  Result<const Table*> KeptLegacyTable(const Table& table);

  kernel::Host host_;
  std::shared_ptr<LegacyKernel> legacy_;
  Deadline deadline_;
  ReaderLimits limits_;
  std::size_t rules_left_;
  std::size_t elements_left_;
  std::optional<kernel::netlink::Channel> channel_;
  std::optional<NftReader> nft_;
  std::map<std::pair<TableFamily, std::string>, Table> legacy_tables_;
  std::map<Key, std::shared_ptr<const Chain>> chains_;
  std::map<Key, std::shared_ptr<const Set>> sets_;
};

}  // namespace finwait::firewall::read
