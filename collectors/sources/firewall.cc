#include "collectors/sources/firewall.h"

#include <linux/netlink.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "collectors/firewall/analysis/drop_counters.h"
#include "collectors/kernel/whole_procfs.h"

namespace finwait::sources {
namespace {

using firewall::Backend;
using firewall::Ruleset;
using firewall::Table;
using firewall::UnreadPart;
using firewall::read::LegacyRuleset;
using firewall::read::NftReader;

UnreadPart AllOfNft(Error error) {
  if (error.reason == FailureReason::kPermission) {
    error.message +=
        "; reading nftables needs CAP_NET_ADMIN: run as root, or give the service "
        "AmbientCapabilities=CAP_NET_ADMIN";
  }
  return UnreadPart{Backend::kNft, std::nullopt, {}, std::move(error)};
}

bool SameParts(const std::vector<UnreadPart>& left, const std::vector<UnreadPart>& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](const auto& one, const auto& other) {
    return one.backend == other.backend && one.family == other.family && one.table == other.table &&
           one.error.message == other.error.message;
  });
}

std::vector<UnreadPart> Joined(std::vector<UnreadPart> parts, const std::vector<UnreadPart>& more) {
  parts.insert(parts.end(), more.begin(), more.end());
  return parts;
}

FirewallSample::RuleCounts CountRules(const Ruleset& ruleset) {
  FirewallSample::RuleCounts counts = {};
  for (const Table& table : ruleset.tables) {
    std::uint64_t rules = 0;
    for (const auto& [name, chain] : table.chains) {
      rules += chain->rules.size();
    }
    for (const IpFamily family : kIpFamilies) {
      if (firewall::Covers(table.family, family)) {
        counts[static_cast<std::size_t>(table.backend)][family] += rules;
      }
    }
  }
  return counts;
}

// Nothing at all could be read.
bool IsUnavailableEverywhere(const Ruleset& ruleset) {
  return ruleset.tables.empty() &&
         std::all_of(std::begin(firewall::kBackends), std::end(firewall::kBackends), [&](Backend backend) {
           return firewall::IsUnavailable(ruleset, backend, IpFamily::kIpv4) &&
                  firewall::IsUnavailable(ruleset, backend, IpFamily::kIpv6);
         });
}

// What is absent from a procfs that is not mounted any more says nothing of the kernel.
LegacyRuleset ReadLegacy(const kernel::Host& host, Deadline deadline, const firewall::read::ReaderLimits& limits) {
  std::error_code ignored;
  if (const auto net = host.procfs / "thread-self/net"; !std::filesystem::exists(net, ignored)) {
    LegacyRuleset unknown;
    unknown.unread.push_back(
        UnreadPart{Backend::kLegacy,
                   std::nullopt,
                   {},
                   Error{FailureReason::kError, 0,
                         net.string() +
                             " is not there, so whether there are iptables-legacy tables cannot be told: "
                             "mount procfs at " +
                             host.procfs.string() + " again"}});
    return unknown;
  }
  firewall::read::SocketLegacyKernel kernel;
  return firewall::read::LegacyReader(host.procfs, kernel, deadline, limits).ReadAll();
}

}  // namespace

FirewallCollector::FirewallCollector(const kernel::Host& host, firewall::read::ReaderLimits limits)
    : host_(host), limits_(limits) {}

Result<Collected> FirewallCollector::Collect(Deadline deadline) {
  std::optional<kernel::netlink::Channel> channel;
  std::optional<NftPart> nft = SampleNft(channel, deadline);
  const LegacyRuleset legacy = ReadLegacy(host_, deadline, limits_);

  const bool nft_as_before = last_.ruleset != nullptr && !nft;
  if (last_.ruleset == nullptr || nft || !IsAsBefore(legacy)) {
    TakeOver(std::move(nft), legacy);
  } else {
    RefreshLegacyCounters(legacy.tables, last_.invalid_drops, last_.policy_drops);
  }
  if (nft_as_before && nft_.ruleset) {
    NftReader reader(*channel, deadline, limits_);
    auto refreshed = RefreshNftCounters(reader, *last_.ruleset, last_.invalid_drops, last_.policy_drops);
    if (!refreshed) {
      return Failure(refreshed.error());
    }
    if (!*refreshed) {  // changed since the generation was read
      TakeOver(ReadNft(*channel, deadline), legacy);
    }
  }
  if (IsUnavailableEverywhere(*last_.ruleset)) {
    return Failure(last_.ruleset->unread.front().error);
  }
  return Publish();
}

std::optional<FirewallCollector::NftPart> FirewallCollector::SampleNft(std::optional<kernel::netlink::Channel>& channel,
                                                                       Deadline deadline) {
  switch (host_.find_feature(kernel::kNfTables)) {
    case kernel::FeatureState::kAbsent:
      return WithoutRuleset({});
    case kernel::FeatureState::kUnknown:
      if (const auto whole = RequireWholeProcfs(host_); !whole) {
        return WithoutRuleset({AllOfNft(whole.error())});
      }
      return WithoutRuleset({UnreadPart{
          Backend::kNft,
          std::nullopt,
          {},
          Error{FailureReason::kUnsupported, 0,
                "nftables is not asked, because nothing tells whether this kernel has it loaded or would load it then: "
                "make /proc/modules or /proc/kallsyms readable"}}});
    case kernel::FeatureState::kSafeToAsk:
      break;
  }
  auto opened = host_.open_channel(NETLINK_NETFILTER);
  if (!opened) {
    return WithoutRuleset({AllOfNft(opened.error())});
  }
  channel.emplace(std::move(*opened));
  auto generation = NftReader(*channel, deadline, limits_).ReadGeneration();
  if (!generation) {
    // EINVAL is nfnetlink's answer when it has no such subsystem: a kernel without nf_tables and without modules.
    return WithoutRuleset(generation.error().errno_code == EINVAL ? std::vector<UnreadPart>()
                                                                  : std::vector{AllOfNft(generation.error())});
  }
  if (nft_.Generation() == *generation && !nft_.ruleset->torn) {
    return std::nullopt;
  }
  return ReadNft(*channel, deadline);
}

std::optional<FirewallCollector::NftPart> FirewallCollector::WithoutRuleset(std::vector<UnreadPart> unread) const {
  if (!nft_.ruleset && SameParts(unread, nft_.unread)) {
    return std::nullopt;
  }
  return NftPart{std::nullopt, std::move(unread)};
}

FirewallCollector::NftPart FirewallCollector::ReadNft(kernel::netlink::Channel& channel, Deadline deadline) {
  auto read = NftReader(channel, deadline, limits_).ReadAll();
  if (!read) {
    return NftPart{std::nullopt, {AllOfNft(read.error())}};
  }
  std::vector<UnreadPart> unread = std::move(read->unread);
  return NftPart{std::move(*read), std::move(unread)};
}

bool FirewallCollector::IsAsBefore(const LegacyRuleset& legacy) const {
  return legacy.content_hash == legacy_hash_ && SameParts(legacy.unread, legacy_unread_);
}

void FirewallCollector::TakeOver(std::optional<NftPart> nft, const LegacyRuleset& legacy) {
  const bool first = last_.ruleset == nullptr;
  // What could not be read before or cannot be read now proves no change.
  const bool nft_changed = nft && nft->unread.empty() && nft_.unread.empty() && nft->Generation() != nft_.Generation();
  const bool legacy_changed = legacy.unread.empty() && legacy_unread_.empty() && legacy.content_hash != legacy_hash_;
  if (first || nft_changed || legacy_changed) {
    last_.last_change = std::chrono::system_clock::now();
  }
  if (nft) {
    nft_ = std::move(*nft);
  }
  legacy_hash_ = legacy.content_hash;
  legacy_unread_ = legacy.unread;
  Rebuild(legacy);
}

void FirewallCollector::Rebuild(const LegacyRuleset& legacy) {
  auto ruleset = std::make_shared<Ruleset>();
  if (nft_.ruleset) {
    ruleset->tables = nft_.ruleset->tables;
    ruleset->generation = nft_.ruleset->generation;
    ruleset->torn = nft_.ruleset->torn;
  }
  ruleset->tables.insert(ruleset->tables.end(), legacy.tables.begin(), legacy.tables.end());
  ruleset->unread = Joined(nft_.unread, legacy_unread_);
  last_.invalid_drops = firewall::analysis::FindInvalidDrops(*ruleset);
  last_.policy_drops = firewall::analysis::FindPolicyDrops(*ruleset);
  last_.rules = CountRules(*ruleset);
  last_.ruleset = std::move(ruleset);
}

Collected FirewallCollector::Publish() const {
  Collected collected;
  collected.data = std::make_shared<FirewallSample>(last_);
  for (const UnreadPart& part : last_.ruleset->unread) {
    collected.gaps.push_back(part.error);
  }
  if (last_.ruleset->torn) {
    collected.gaps.push_back(Error{FailureReason::kError, 0,
                                   "nftables' rules changed while they were read, " +
                                       std::to_string(NftReader::kAttempts) +
                                       " times in a row: rules and chains may not fit together"});
  }
  return collected;
}

}  // namespace finwait::sources
