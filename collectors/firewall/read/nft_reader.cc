#include "collectors/firewall/read/nft_reader.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "collectors/firewall/read/nft_attributes.h"
#include "collectors/firewall/read/nft_sets.h"
#include "collectors/firewall/read/nft_tables.h"
#include "collectors/firewall/read/nft_walk.h"

namespace finwait::firewall::read {
namespace {

using kernel::netlink::Message;
using kernel::netlink::Request;

Request MakeRequest(nf_tables_msg_types type, std::uint8_t family) {
  Request request(kernel::netlink::NetfilterType(NFNL_SUBSYS_NFTABLES, static_cast<std::uint8_t>(type)));
  request.Header(nfgenmsg{family, NFNETLINK_V0, 0});
  return request;
}

// The handles of a table's chains, which are told in the order in which they were made. A table numbers its chains,
// rules and sets together, from 1 (nf_tables_alloc_handle()).
class ChainHandles {
 public:
  void Add(std::optional<std::uint64_t> handle) { whole_ = whole_ && handle == ++count_; }
  /// Whether these are the first of its table, without a gap.
  bool AreWhole() const { return whole_; }

 private:
  std::uint64_t count_ = 0;
  bool whole_ = true;
};

Failure Malformed(const std::string& operation) {
  return Fail(FailureReason::kError, operation + ": the kernel's answer is malformed or of an unknown shape");
}

std::set<std::string> FlowtablesOfRules(const Table& table) {
  std::set<std::string> names;
  for (const auto& [name, chain] : table.chains) {
    for (const Rule& rule : chain->rules) {
      for (const Expression& expression : rule.expressions) {
        if (const auto* offload = std::get_if<FlowOffload>(&expression)) {
          names.insert(offload->flowtable);
        }
      }
    }
  }
  return names;
}

}  // namespace

Result<void> NftReader::Dump(Request request, const std::string& operation, const std::function<void()>& restart,
                             const std::function<Result<void>(const Message&)>& visit) {
  kernel::netlink::FunctionSink sink(restart, visit);
  auto report = channel_.Dump(std::move(request), operation, deadline_, sink);
  if (!report) {
    return Failure(report.error());
  }
  torn_ = torn_ || report->torn;
  return {};
}

Result<std::uint32_t> NftReader::ReadGeneration() {
  const std::string operation = "read nftables' generation";
  std::optional<std::uint32_t> generation;
  auto got = channel_.Get(MakeRequest(NFT_MSG_GETGEN, AF_UNSPEC), operation, deadline_,
                          [&](const Message& message) -> Result<void> {
                            generation = DecodeGeneration(message);
                            return {};
                          });
  if (!got) {
    return Failure(got.error());
  }
  if (!generation) {
    return Malformed(operation);
  }
  return *generation;
}

Result<void> NftReader::ReadTables(NftRuleset& ruleset) {
  const std::string operation = "read nftables' tables";
  bool too_many = false;
  auto dumped = Dump(
      MakeRequest(NFT_MSG_GETTABLE, AF_UNSPEC), operation,
      [&] {
        ruleset.tables.clear();
        too_many = false;
      },
      [&](const Message& message) -> Result<void> {
        if (!MessageFamily(message)) {
          return {};  // arp
        }
        auto table = DecodeTable(message);
        if (!table) {
          return Malformed(operation);
        }
        too_many = ruleset.tables.size() >= limits_.tables;
        if (!too_many) {
          ruleset.tables.push_back(std::move(*table));
        }
        return {};
      });
  if (dumped && too_many) {
    ruleset.unread.push_back(
        UnreadPart{Backend::kNft,
                   std::nullopt,
                   {},
                   Error{FailureReason::kError, 0,
                         operation + ": only the first " + std::to_string(limits_.tables) + " are read"}});
  }
  return dumped;
}

Result<void> NftReader::ReadBaseChains(NftRuleset& ruleset) {
  // One dump of all chains: the kernel has no filter for base chains. Other chains are read only if rules lead there.
  const std::string operation = "read nftables' chains";
  std::size_t chains = 0;
  std::map<const Table*, ChainHandles> handles;
  auto dumped = Dump(
      MakeRequest(NFT_MSG_GETCHAIN, AF_UNSPEC), operation,
      [&] {
        chains = 0;
        handles.clear();
        for (Table& table : ruleset.tables) {
          table.chains.clear();
        }
      },
      [&](const Message& message) -> Result<void> {
        if (!MessageFamily(message)) {
          return {};
        }
        auto found = DecodeChain(message);
        if (!found) {
          return Malformed(operation);
        }
        const auto table = std::find_if(ruleset.tables.begin(), ruleset.tables.end(), [&](const Table& candidate) {
          return candidate.family == found->family && candidate.name == found->table;
        });
        if (table == ruleset.tables.end()) {
          return {};  // made after the tables were read: the generation tells, and we read again
        }
        handles[&*table].Add(found->chain.handle);
        if (!found->chain.base) {
          return {};
        }
        if (++chains > limits_.chains) {
          return Fail(FailureReason::kError,
                      operation + ": more than " + std::to_string(limits_.chains) + " base chains");
        }
        found->chain.base->made_with_table = handles[&*table].AreWhole();
        std::string name = found->chain.name;
        table->chains.insert_or_assign(std::move(name), std::make_shared<Chain>(std::move(found->chain)));
        return {};
      });
  return dumped;
}

// Where no rule hands anything to a flowtable none is asked for: no packet is in it.
Result<void> NftReader::ReadFlowtables(NftRuleset& ruleset) {
  const std::string operation = "read nftables' flowtables";
  std::vector<std::pair<Table*, std::set<std::string>>> wanted;
  for (Table& table : ruleset.tables) {
    if (std::set<std::string> names = FlowtablesOfRules(table); !names.empty()) {
      wanted.emplace_back(&table, std::move(names));
    }
  }
  if (wanted.empty()) {
    return {};
  }
  std::size_t left = limits_.flowtables;
  return Dump(
      MakeRequest(NFT_MSG_GETFLOWTABLE, AF_UNSPEC), operation,
      [&] {
        left = limits_.flowtables;
        for (const auto& [table, names] : wanted) {
          table->flowtables.clear();
        }
      },
      [&](const Message& message) -> Result<void> {
        if (!MessageFamily(message)) {
          return {};
        }
        auto found = DecodeFlowtable(message);
        if (!found) {
          return Malformed(operation);
        }
        for (const auto& [table, names] : wanted) {
          if (table->family == found->family && table->name == found->table && names.contains(found->flowtable.name) &&
              left > 0) {
            --left;
            table->flowtables.push_back(std::move(found->flowtable));
            break;
          }
        }
        return {};
      });
}

Result<NftRuleset> NftReader::ReadOnce() {
  torn_ = false;
  NftRuleset ruleset;
  auto before = ReadGeneration();
  if (!before) {
    return Failure(before.error());
  }
  ruleset.generation = *before;
  if (auto read = ReadTables(ruleset); !read) {
    return Failure(read.error());
  }
  if (auto read = ReadBaseChains(ruleset); !read) {
    return Failure(read.error());
  }
  NftWalk walk(*this, limits_);
  for (Table& table : ruleset.tables) {
    table.dialect = DialectOf(table);
    // A dormant table's chains are not registered: nothing in it runs.
    if (!table.dormant) {
      if (auto walked = walk.ReadReachable(table); !walked) {
        return Failure(walked.error());
      }
    }
  }
  if (auto read = ReadFlowtables(ruleset); !read) {
    return Failure(read.error());
  }
  auto after = ReadGeneration();
  if (!after) {
    return Failure(after.error());
  }
  ruleset.torn = torn_ || walk.FoundGap() || *before != *after;
  return ruleset;
}

Result<NftRuleset> NftReader::ReadAll() {
  for (int attempt = 1;; ++attempt) {
    auto ruleset = ReadOnce();
    if (!ruleset || !ruleset->torn || attempt == kAttempts) {
      return ruleset;
    }
  }
}

Result<Chain> NftReader::ReadChain(TableFamily family, const std::string& table, const std::string& name,
                                   std::size_t max_rules) {
  const std::string operation = "read nftables' rules";
  Chain chain;
  chain.name = name;
  auto dumped = Dump(
      MakeRequest(NFT_MSG_GETRULE, EncodeFamily(family)).PutText(NFTA_RULE_TABLE, table).PutText(NFTA_RULE_CHAIN, name),
      operation,
      [&] {
        chain.rules.clear();
        chain.contents = Contents::kComplete;
      },
      [&](const Message& message) -> Result<void> {
        auto found = DecodeRule(message);
        if (!found) {
          return Malformed(operation);
        }
        if (found->chain != name) {
          return {};  // a kernel that ignores the filter sends the whole table
        }
        if (chain.rules.size() >= max_rules) {
          chain.contents = Contents::kTruncated;
          return {};
        }
        found->rule.index = static_cast<std::uint32_t>(chain.rules.size() + 1);
        chain.rules.push_back(std::move(found->rule));
        return {};
      });
  if (!dumped) {
    return Failure(dumped.error());
  }
  return chain;
}

Result<Rule> NftReader::ReadRule(TableFamily family, const std::string& table, const std::string& chain,
                                 std::uint64_t handle) {
  const std::string operation = "read one of nftables' rules";
  std::optional<RuleInChain> found;
  auto got = channel_.Get(MakeRequest(NFT_MSG_GETRULE, EncodeFamily(family))
                              .PutText(NFTA_RULE_TABLE, table)
                              .PutText(NFTA_RULE_CHAIN, chain)
                              .PutBigEndian64(NFTA_RULE_HANDLE, handle),
                          operation, deadline_, [&](const Message& message) -> Result<void> {
                            found = DecodeRule(message);
                            return {};
                          });
  if (!got) {
    return Failure(got.error());
  }
  if (!found) {
    return Malformed(operation);
  }
  return std::move(found->rule);
}

Result<bool> NftReader::ChainExists(TableFamily family, const std::string& table, const std::string& chain) {
  auto got =
      channel_.Get(MakeRequest(NFT_MSG_GETCHAIN, EncodeFamily(family))
                       .PutText(NFTA_CHAIN_TABLE, table)
                       .PutText(NFTA_CHAIN_NAME, chain),
                   "look for one of nftables' chains", deadline_, [](const Message&) -> Result<void> { return {}; });
  if (got) {
    return true;
  }
  if (got.error().errno_code == ENOENT) {
    return false;
  }
  return Failure(got.error());
}

Result<std::optional<Counter>> NftReader::ReadPolicyCounter(TableFamily family, const std::string& table,
                                                            const std::string& name) {
  std::optional<Counter> counter;
  auto got =
      channel_.Get(MakeRequest(NFT_MSG_GETCHAIN, EncodeFamily(family))
                       .PutText(NFTA_CHAIN_TABLE, table)
                       .PutText(NFTA_CHAIN_NAME, name),
                   "read a policy's counter in nftables", deadline_, [&](const Message& message) -> Result<void> {
                     auto found = DecodeChain(message);
                     counter = found && found->chain.base ? found->chain.base->policy_counter : std::nullopt;
                     return {};
                   });
  if (!got && got.error().errno_code != ENOENT) {
    return Failure(got.error());
  }
  return counter;
}

Result<Set> NftReader::ReadSet(TableFamily family, const std::string& table, const std::string& name,
                               std::size_t max_elements) {
  const std::string operation = "read one of nftables' sets";
  std::optional<Set> description;
  auto got = channel_.Get(
      MakeRequest(NFT_MSG_GETSET, EncodeFamily(family)).PutText(NFTA_SET_TABLE, table).PutText(NFTA_SET_NAME, name),
      operation, deadline_, [&](const Message& message) -> Result<void> {
        description = DecodeSet(message.Attributes<nfgenmsg>());
        return {};
      });
  if (!got) {
    return Failure(got.error());
  }
  if (!description) {
    return Malformed(operation);
  }
  SetBuilder builder(std::move(*description), max_elements);
  auto dumped = Dump(
      MakeRequest(NFT_MSG_GETSETELEM, EncodeFamily(family))
          .PutText(NFTA_SET_ELEM_LIST_TABLE, table)
          .PutText(NFTA_SET_ELEM_LIST_SET, name),
      operation, [&] { builder.Restart(); },
      [&](const Message& message) -> Result<void> {
        builder.Add(message.Attributes<nfgenmsg>());
        return {};
      });
  if (!dumped) {
    return Failure(dumped.error());
  }
  return builder.Finish();
}

Result<std::optional<SetElement>> NftReader::FindElement(TableFamily family, const std::string& table, const Set& set,
                                                         const Value& key) {
  auto found = AskForElement(family, table, set, key, 0);
  if (!found || *found) {
    return found;
  }
  return AskForElement(family, table, set, {}, NFT_SET_ELEM_CATCHALL);
}

Result<std::optional<SetElement>> NftReader::AskForElement(TableFamily family, const std::string& table, const Set& set,
                                                           const Value& key, std::uint32_t flags) {
  Request request = MakeRequest(NFT_MSG_GETSETELEM, EncodeFamily(family));
  request.PutText(NFTA_SET_ELEM_LIST_TABLE, table).PutText(NFTA_SET_ELEM_LIST_SET, set.name);
  request.BeginNested(NFTA_SET_ELEM_LIST_ELEMENTS).BeginNested(NFTA_LIST_ELEM);
  if (!key.empty()) {
    request.BeginNested(NFTA_SET_ELEM_KEY).PutBytes(NFTA_DATA_VALUE, key).EndNested();
  }
  if (flags != 0) {
    request.PutBigEndian32(NFTA_SET_ELEM_FLAGS, flags);
  }
  request.EndNested().EndNested();

  SetBuilder builder(set, 1);
  auto got = channel_.Get(std::move(request), "look up a key in one of nftables' sets", deadline_,
                          [&](const Message& message) -> Result<void> {
                            builder.Add(message.Attributes<nfgenmsg>());
                            return {};
                          });
  if (!got) {
    // No such element; EOPNOTSUPP: a kernel (before 5.13) or a kind of set that knows no catch-all.
    if (got.error().errno_code == ENOENT || (flags != 0 && got.error().errno_code == EOPNOTSUPP)) {
      return std::nullopt;
    }
    return Failure(got.error());
  }
  Set answer = builder.Finish();
  if (answer.elements.empty()) {
    return std::nullopt;
  }
  SetElement& element = answer.elements.front();
  if (set.field_lengths.size() < 2) {
    element.key_end.reset();  // asked by key, the kernel sends only the half where a range starts
  }
  return std::move(element);
}

Result<Object> NftReader::ReadObject(TableFamily family, const std::string& table, const std::string& name,
                                     std::uint32_t type) {
  const std::string operation = "read one of nftables' named counters";
  std::optional<Object> object;
  auto got = channel_.Get(MakeRequest(NFT_MSG_GETOBJ, EncodeFamily(family))
                              .PutText(NFTA_OBJ_TABLE, table)
                              .PutText(NFTA_OBJ_NAME, name)
                              .PutBigEndian32(NFTA_OBJ_TYPE, type),
                          operation, deadline_, [&](const Message& message) -> Result<void> {
                            object = DecodeObject(message);
                            return {};
                          });
  if (!got) {
    return Failure(got.error());
  }
  if (!object) {
    return Malformed(operation);
  }
  return std::move(*object);
}

}  // namespace finwait::firewall::read
