#include "tests/recording/rule_source.h"

#include <linux/netlink.h>

#include <chrono>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tests/lab/host.h"
#include "tests/soon.h"

namespace finwait::recording {
namespace {

using firewall::Chain;
using firewall::Contents;
using firewall::Table;
using firewall::TableFamily;

template <typename T>
T Value(Result<T> result) {
  if (!result) {
    throw std::runtime_error(result.error().message);
  }
  return std::move(*result);
}

// The chains that the rules lead to, verdict maps included.
void CollectTargets(const Table& table, const Chain& chain, firewall::read::RulePartReader& resolver,
                    std::vector<std::string>& targets) {
  for (const firewall::Rule& rule : chain.rules) {
    for (const firewall::Expression& expression : rule.expressions) {
      if (const auto* statement = std::get_if<firewall::VerdictStatement>(&expression)) {
        targets.push_back(statement->verdict.chain);
      } else if (const auto* lookup = std::get_if<firewall::Lookup>(&expression)) {
        auto set = resolver.ReadSet(table, lookup->set);
        for (const firewall::SetElement& element : set ? (*set)->elements : std::vector<firewall::SetElement>()) {
          if (const auto* verdict = std::get_if<firewall::Verdict>(&element.data)) {
            targets.push_back(verdict->chain);
          }
        }
      }
    }
  }
}

}  // namespace

RuleSource::RuleSource(kernel::Host host, std::shared_ptr<firewall::read::LegacyKernel> legacy)
    : host_(std::move(host)),
      legacy_(std::move(legacy)),
      resolver_(
          std::make_unique<firewall::read::RulePartReader>(host_, Soon(), firewall::read::ReaderLimits{}, legacy_)),
      facts_(std::make_unique<firewall::read::FactResolver>(host_, legacy_)) {}

RuleSource RuleSource::Recorded(const std::shared_ptr<KernelRecording>& recording) {
  const kernel::Host host = lab::HostHere();
  RuleSource source(RecordingHost(host, recording), RecordingLegacyKernel(recording));
  firewall::read::LegacyReader reader(host.procfs, *source.legacy_, Soon());
  for (const TableFamily family : {TableFamily::kIpv4, TableFamily::kIpv6}) {
    if (auto names = Value(reader.TableNames(family)); !names.empty()) {
      recording->legacy_names[family] = std::move(names);
    }
  }
  return source;
}

RuleSource RuleSource::Replayed(const KernelRecording& recording) {
  const auto shared = std::make_shared<const KernelRecording>(recording);
  return {ReplayingHost(shared), ReplayingLegacyKernel(shared)};
}

firewall::read::NftRuleset RuleSource::ReadNft(firewall::read::ReaderLimits limits) {
  auto channel = Value(host_.open_channel(NETLINK_NETFILTER));
  return Value(firewall::read::NftReader(channel, Soon(), limits).ReadAll());
}

firewall::read::LegacyRuleset RuleSource::ReadLegacy(firewall::read::ReaderLimits limits) {
  return firewall::read::LegacyReader(host_.procfs, *legacy_, Soon(), limits).ReadAll();
}

std::shared_ptr<const firewall::Ruleset> RuleSource::Read() {
  firewall::read::NftRuleset nft = ReadNft();
  firewall::read::LegacyRuleset legacy = ReadLegacy();
  auto ruleset = std::make_shared<firewall::Ruleset>();
  ruleset->tables = std::move(nft.tables);
  ruleset->tables.insert(ruleset->tables.end(), legacy.tables.begin(), legacy.tables.end());
  ruleset->generation = nft.generation;
  ruleset->torn = nft.torn;
  ruleset->unread = std::move(nft.unread);
  ruleset->unread.insert(ruleset->unread.end(), legacy.unread.begin(), legacy.unread.end());
  if (ruleset->torn || !ruleset->unread.empty()) {
    throw std::runtime_error(ruleset->torn ? "the ruleset changed while it was read"
                                           : ruleset->unread.front().error.message);
  }
  return ruleset;
}

void ReadChainsOnDemand(const firewall::Ruleset& ruleset, firewall::read::RulePartReader& resolver) {
  for (const Table& table : ruleset.tables) {
    if (table.dormant) {
      continue;
    }
    std::vector<std::string> waiting;
    for (const auto& [name, chain] : table.chains) {
      if (chain->contents == Contents::kNotRead) {
        waiting.push_back(name);
      }
    }
    std::set<std::string> read;
    while (!waiting.empty()) {
      const std::string name = std::move(waiting.back());
      waiting.pop_back();
      if (!name.empty() && read.insert(name).second) {
        CollectTargets(table, *Value(resolver.ReadChain(table, name)), resolver, waiting);
      }
    }
  }
}

}  // namespace finwait::recording
