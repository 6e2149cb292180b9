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

/// Asks the kernel. Opens its channel with the first question about nftables; a legacy table is fetched whole and kept.
/// Ask only about tables of a ruleset that was read in the same namespace: these exist, and so do their subsystems.
class KernelResolver : public RuleResolver {
 public:
  /// Everything that is asked has to be answered by `deadline`. `legacy`: a test's own kernel; null for the real one.
  KernelResolver(kernel::Host host, Deadline deadline, ReaderLimits limits = {},
                 std::shared_ptr<LegacyKernel> legacy = nullptr);
  KernelResolver(const KernelResolver&) = delete;
  KernelResolver& operator=(const KernelResolver&) = delete;

  Result<std::shared_ptr<const Chain>> ReadChain(const Table& table, const std::string& chain) override;
  Result<Table> ReadLegacyTable(const Table& table) override;
  Result<std::shared_ptr<const Set>> ReadSet(const Table& table, const std::string& set) override;
  Result<std::optional<SetElement>> FindElement(const Table& table, const Set& set, const Value& key) override;
  Result<bool> HasQuota(const std::string& accounting_object) override;

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
