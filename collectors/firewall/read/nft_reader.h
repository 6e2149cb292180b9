#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/read/reader_limits.h"
#include "collectors/kernel/netlink/channel.h"

namespace finwait::firewall::read {

/// What nftables holds.
struct NftRuleset {
  std::vector<Table> tables;
  std::uint32_t generation = 0;
  bool torn = false;
  std::vector<UnreadPart> unread;
};

/// Reads nftables over one NETLINK_NETFILTER channel, every exchange bounded by one deadline. Needs CAP_NET_ADMIN in
/// the user namespace that owns the network namespace. Make sure first that nf_tables is there (KernelFeatures): these
/// requests would load its module.
class NftReader {
 public:
  /// How often a ruleset that changes underneath is read before it is published as torn.
  static constexpr int kAttempts = 3;

  NftReader(kernel::netlink::Channel& channel, Deadline deadline, ReaderLimits limits = {})
      : channel_(channel), deadline_(deadline), limits_(limits) {}

  /// The generation id: it changes with every commit to the ruleset, set elements of user space included, and with
  /// nothing else.
  Result<std::uint32_t> ReadGeneration();

  /// All tables, and what can drop in them: base chains of types filter and route, every chain they reach, and the
  /// sets, counters and flowtables that these refer to. Chain by chain, so that neither tens of thousands of nat rules
  /// nor their writers matter.
  Result<NftRuleset> ReadAll();

  /// The rules of one chain, at most `max_rules`; empty when there is no such chain. The chain's `base` is not filled.
  Result<Chain> ReadChain(TableFamily family, const std::string& table, const std::string& chain,
                          std::size_t max_rules);
  /// One rule by its handle. errno ENOENT when it is gone.
  Result<Rule> ReadRule(TableFamily family, const std::string& table, const std::string& chain, std::uint64_t handle);
  /// Whether there is a chain of that name.
  Result<bool> ChainExists(TableFamily family, const std::string& table, const std::string& chain);
  /// The policy counter of a base chain; nothing where it counts nothing or is gone.
  Result<std::optional<Counter>> ReadPolicyCounter(TableFamily family, const std::string& table,
                                                   const std::string& chain);
  /// A set with at most `max_elements`. errno ENOENT when it is gone.
  Result<Set> ReadSet(TableFamily family, const std::string& table, const std::string& set, std::size_t max_elements);
  /// The element that a lookup of `key` hits, the catch-all included.
  Result<std::optional<SetElement>> FindElement(TableFamily family, const std::string& table, const Set& set,
                                                const Value& key);
  /// A named object. errno ENOENT when it is gone.
  Result<Object> ReadObject(TableFamily family, const std::string& table, const std::string& name, std::uint32_t type);

 private:
  Result<NftRuleset> ReadOnce();
  Result<void> ReadTables(NftRuleset& ruleset);
  Result<void> ReadBaseChains(NftRuleset& ruleset);
  Result<void> ReadFlowtables(NftRuleset& ruleset);
  Result<std::optional<SetElement>> AskForElement(TableFamily family, const std::string& table, const Set& set,
                                                  const Value& key, std::uint32_t flags);
  /// Dumps, remembering in torn_ when the kernel says that the data changed underneath.
  Result<void> Dump(kernel::netlink::Request request, const std::string& operation,
                    const std::function<void()>& restart,
                    const std::function<Result<void>(const kernel::netlink::Message&)>& visit);

  kernel::netlink::Channel& channel_;
  Deadline deadline_;
  ReaderLimits limits_;
  bool torn_ = false;
};

}  // namespace finwait::firewall::read
