#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/firewall/analysis/invalid_drop.h"
#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/read/legacy_reader.h"
#include "collectors/firewall/read/nft_reader.h"
#include "collectors/kernel/host.h"
#include "collectors/sources/collector.h"
#include "collectors/sources/collector_info.h"
#include "collectors/sources/cpu_shares.h"

namespace finwait::sources {

/// What can drop a packet in this network namespace, and what of it dropped INVALID packets.
struct FirewallSample : SampleData {
  static constexpr std::string_view kCollector = "firewall";
  static constexpr std::size_t kFields = 5;  ///< below, for codec/fields.h

  /// Never null. The same object as in the sample before as long as nothing but counters changed; the counters in it
  /// are of the sample that read it. What it could not read is in its `unread`: see firewall::IsUnavailable.
  std::shared_ptr<const firewall::Ruleset> ruleset;
  /// With the counters of this sample.
  std::vector<firewall::analysis::InvalidDropRule> invalid_drops;
  std::vector<firewall::analysis::PolicyDrop> policy_drops;

  /// Rules in the chains that were read, by backend and by the family of packets that pass them; a rule for both
  /// families counts in both. Only where IsUnavailable says no.
  using RuleCounts = std::array<PerFamily<std::uint64_t>, std::size(firewall::kBackends)>;
  RuleCounts rules = {};

  /// When a sample last saw a ruleset other than the sample before: a new nftables generation (element changes made by
  /// user space included) or other legacy rules. Until the first change, when this process first read it: then the true
  /// time is that or earlier.
  std::chrono::system_clock::time_point last_change;
};

/// Reads both packet filters. Needs CAP_NET_ADMIN; legacy tables also uid 0 or group 0, to see which exist. What cannot
/// be read is a gap and marked in the ruleset.
///
/// A sample of an unchanged ruleset costs the generation id (nftables) and the counters of the rules that matter, rule
/// by rule, whatever else there is. Legacy tables have no generation: those that can drop are fetched for each sample,
/// the one honest way to see a change (sizes and offsets stay the same when one rule replaces another), and compared by
/// content; nat, where rules are counted in tens of thousands, is not fetched.
class FirewallCollector : public Collector {
 public:
  static constexpr CollectorInfo kInfo = {
      .name = FirewallSample::kCollector,
      .summary = "nftables, iptables-nft and iptables-legacy rules that can drop a packet",
      .reads =
          "netlink; of iptables-legacy `/proc/thread-self/net/ip_tables_names` and `ip6_tables_names`, then "
          "`getsockopt(IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES)` of the tables named there only: asking for another would "
          "create it",
      .capability = Capability::kNetAdmin,
      .budget_share = kFirewallShare,
  };

  explicit FirewallCollector(const kernel::Host& host, firewall::read::ReaderLimits limits = {});

  Result<Collected> Collect(Deadline deadline) override;

 private:
  /// What is known of nftables. Without a ruleset and with nothing unread there is no nf_tables in this kernel.
  struct NftPart {
    std::optional<firewall::read::NftRuleset> ruleset;
    std::vector<firewall::UnreadPart> unread;

    std::optional<std::uint32_t> Generation() const {
      return ruleset ? std::optional(ruleset->generation) : std::nullopt;
    }
  };

  /// What nftables has now; nothing when it is as before. Opens `channel` where there is something to ask.
  std::optional<NftPart> SampleNft(std::optional<kernel::netlink::Channel>& channel, Deadline deadline);
  /// As SampleNft returns it where there is nothing to read or nothing can be read.
  std::optional<NftPart> WithoutRuleset(std::vector<firewall::UnreadPart> unread) const;
  NftPart ReadNft(kernel::netlink::Channel& channel, Deadline deadline);
  bool IsAsBefore(const firewall::read::LegacyRuleset& legacy) const;
  /// Makes what was read the current state.
  void TakeOver(std::optional<NftPart> nft, const firewall::read::LegacyRuleset& legacy);
  void Rebuild(const firewall::read::LegacyRuleset& legacy);
  Collected Publish() const;

  kernel::Host host_;
  firewall::read::ReaderLimits limits_;
  NftPart nft_;
  std::uint64_t legacy_hash_ = 0;
  std::vector<firewall::UnreadPart> legacy_unread_;
  FirewallSample last_;  ///< its ruleset is null before the first collection
};

}  // namespace finwait::sources
