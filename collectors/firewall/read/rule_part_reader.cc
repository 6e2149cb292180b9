#include "collectors/firewall/read/rule_part_reader.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_acct.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace finwait::firewall::read {
namespace {

Failure NoSuchChain(const Table& table, const std::string& chain) {
  return Fail(FailureReason::kUnsupported, "table " + table.name + " has no chain " + chain);
}

}  // namespace

RulePartReader::RulePartReader(kernel::Host host, Deadline deadline, ReaderLimits limits,
                               std::shared_ptr<LegacyKernel> legacy)
    : host_(std::move(host)),
      legacy_(legacy != nullptr ? std::move(legacy) : std::make_shared<SocketLegacyKernel>()),
      deadline_(deadline),
      limits_(limits),
      rules_left_(limits.rules),
      elements_left_(limits.all_set_elements) {}

Result<NftReader*> RulePartReader::Nft() {
  if (!nft_) {
    auto channel = host_.open_channel(NETLINK_NETFILTER);
    if (!channel) {
      return Failure(channel.error());
    }
    channel_.emplace(std::move(*channel));
    nft_.emplace(*channel_, deadline_, limits_);
  }
  return &*nft_;
}

Result<std::shared_ptr<const Chain>> RulePartReader::ReadChain(const Table& table, const std::string& chain) {
  const Key key(table.backend, table.family, table.name, chain);
  if (const auto known = chains_.find(key); known != chains_.end()) {
    return known->second;
  }
  if (table.backend == Backend::kLegacy) {
    auto whole = KeptLegacyTable(table);
    if (!whole) {
      return Failure(whole.error());
    }
    const auto found = (*whole)->chains.find(chain);
    return found != (*whole)->chains.end() ? Result<std::shared_ptr<const Chain>>(found->second)
                                           : NoSuchChain(table, chain);
  }
  auto read = ReadNftChain(table, chain);
  if (read) {
    chains_.emplace(key, *read);
  }
  return read;
}

Result<std::shared_ptr<const Chain>> RulePartReader::ReadNftChain(const Table& table, const std::string& name) {
  auto nft = Nft();
  if (!nft) {
    return Failure(nft.error());
  }
  auto exists = (*nft)->ChainExists(table.family, table.name, name);
  if (!exists) {
    return Failure(exists.error());
  }
  if (!*exists) {
    return NoSuchChain(table, name);
  }
  auto chain = (*nft)->ReadChain(table.family, table.name, name, rules_left_);
  if (!chain) {
    return Failure(chain.error());
  }
  rules_left_ -= chain->rules.size();
  if (const Chain* listed = FindChain(table, name)) {
    chain->base = listed->base;
    chain->handle = listed->handle;
  }
  return std::make_shared<const Chain>(std::move(*chain));
}

Result<const Table*> RulePartReader::KeptLegacyTable(const Table& table) {
  const std::pair key(table.family, table.name);
  auto known = legacy_tables_.find(key);
  if (known == legacy_tables_.end()) {
    LegacyReader reader(host_.procfs, *legacy_, deadline_, limits_);
    // The table was there when the ruleset was read. It is made sure of again, because asking would make it.
    auto names = reader.TableNames(table.family);
    if (!names) {
      return Failure(names.error());
    }
    if (std::find(names->begin(), names->end(), table.name) == names->end()) {
      return Fail(FailureReason::kUnsupported, "there is no table " + table.name);
    }
    auto read = reader.ReadTable(table.family, table.name, rules_left_);
    if (!read) {
      return Failure(read.error());
    }
    for (const auto& [chain_name, chain] : read->table.chains) {
      rules_left_ -= chain->rules.size();
    }
    known = legacy_tables_.emplace(key, std::move(read->table)).first;
  }
  return &known->second;
}

Result<Table> RulePartReader::ReadLegacyTable(const Table& table) {
  auto kept = KeptLegacyTable(table);
  if (!kept) {
    return Failure(kept.error());
  }
  return **kept;  // its chains are shared
}

Result<std::shared_ptr<const Set>> RulePartReader::ReadSet(const Table& table, const std::string& name) {
  const Key key(table.backend, table.family, table.name, name);
  if (const auto known = sets_.find(key); known != sets_.end()) {
    return known->second;
  }
  auto nft = Nft();
  if (!nft) {
    return Failure(nft.error());
  }
  auto set = (*nft)->ReadSet(table.family, table.name, name, std::min(limits_.set_elements, elements_left_));
  if (!set) {
    return Failure(set.error());
  }
  elements_left_ -= std::min(set->elements.size(), elements_left_);
  auto shared = std::make_shared<const Set>(std::move(*set));
  sets_.emplace(key, shared);
  return shared;
}

Result<std::optional<SetElement>> RulePartReader::FindElement(const Table& table, const Set& set, const Value& key) {
  auto nft = Nft();
  if (!nft) {
    return Failure(nft.error());
  }
  return (*nft)->FindElement(table.family, table.name, set, key);
}

// nfnl_acct_fill_info(): flags are sent for objects with a quota only.
Result<bool> RulePartReader::HasQuota(const std::string& accounting_object) {
  auto channel = host_.open_channel(NETLINK_NETFILTER);
  if (!channel) {
    return Failure(channel.error());
  }
  std::optional<bool> quota;
  auto asked = channel->Get(
      kernel::netlink::Request(kernel::netlink::NetfilterType(NFNL_SUBSYS_ACCT, NFNL_MSG_ACCT_GET))
          .Header(nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0})
          .PutText(NFACCT_NAME, accounting_object),
      "look up an accounting object", deadline_, [&](const kernel::netlink::Message& message) -> Result<void> {
        quota = false;
        kernel::netlink::ForEachAttribute(
            message.Attributes<nfgenmsg>(), [&](const kernel::netlink::Attribute& attribute) {
              *quota = *quota || attribute.Type() == NFACCT_FLAGS || attribute.Type() == NFACCT_QUOTA;
            });
        return {};
      });
  if (!asked) {
    return Failure(asked.error());
  }
  if (!quota) {
    return Fail(FailureReason::kError, "look up an accounting object: no answer");
  }
  return *quota;
}

}  // namespace finwait::firewall::read
