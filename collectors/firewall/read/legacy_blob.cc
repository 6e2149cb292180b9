#include "collectors/firewall/read/legacy_blob.h"

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "collectors/base/hash.h"
#include "collectors/firewall/read/legacy_tables.h"

namespace finwait::firewall::read {
namespace {

using kernel::netlink::Bytes;

// One entry, located and measured but not decoded.
struct Entry {
  std::size_t offset = 0;
  Bytes bytes;  ///< from the entry's start to the next entry's
  std::size_t target_offset = 0;
  std::string_view target;
  std::uint8_t target_revision = 0;
  Bytes target_data;  ///< behind the xt_entry_target
};

Failure Malformed(const std::string& table, const char* what) {
  return Fail(FailureReason::kError, "decode legacy table " + table + ": " + what);
}

template <typename T>
T Copy(Bytes bytes) {  // the caller has checked the size
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::string_view BoundedName(Bytes bytes) { return kernel::netlink::Attribute(0, bytes).Text(); }

Bytes Slice(Bytes bytes, std::size_t offset, std::size_t size) { return bytes.subspan(offset, size); }

// How the two families lay out an entry.
struct Ipv4 {
  using Entry = ipt_entry;
  static constexpr std::uint8_t kGoto = IPT_F_GOTO;
  static void Decode(const Entry& entry, IpHeaderMatch& match) {
    CopyHeader(entry.ip, match);
    match.flags = entry.ip.flags;
    match.inverse_flags = entry.ip.invflags;
  }
  template <typename Header>
  static void CopyHeader(const Header& header, IpHeaderMatch& match) {
    std::memcpy(match.source.data(), &header.src, sizeof header.src);
    std::memcpy(match.source_mask.data(), &header.smsk, sizeof header.smsk);
    std::memcpy(match.destination.data(), &header.dst, sizeof header.dst);
    std::memcpy(match.destination_mask.data(), &header.dmsk, sizeof header.dmsk);
    std::memcpy(match.in.name.data(), header.iniface, sizeof header.iniface);
    std::memcpy(match.in.mask.data(), header.iniface_mask, sizeof header.iniface_mask);
    std::memcpy(match.out.name.data(), header.outiface, sizeof header.outiface);
    std::memcpy(match.out.mask.data(), header.outiface_mask, sizeof header.outiface_mask);
    match.protocol = header.proto;
  }
};

struct Ipv6 {
  using Entry = ip6t_entry;
  static constexpr std::uint8_t kGoto = IP6T_F_GOTO;
  static void Decode(const Entry& entry, IpHeaderMatch& match) {
    Ipv4::CopyHeader(entry.ipv6, match);
    match.ipv6 = true;
    match.type_of_service = entry.ipv6.tos;
    match.flags = entry.ipv6.flags;
    match.inverse_flags = entry.ipv6.invflags;
  }
};

// Content without the counters, eight bytes at a time. It has to notice changes, not to resist anybody.
std::uint64_t Mix(std::uint64_t hash, Bytes bytes) {
  while (!bytes.empty()) {
    std::uint64_t word = 0;
    const std::size_t size = std::min(bytes.size(), sizeof word);
    std::memcpy(&word, bytes.data(), size);
    hash = MixHash(hash, word ^ (static_cast<std::uint64_t>(size) << 56));
    bytes = bytes.subspan(size);
  }
  return hash;
}

template <typename Layout>
class Decoder {
 public:
  Decoder(TableFamily family, std::string name, const LegacyTableInfo& info, std::size_t max_rules)
      : family_(family), name_(std::move(name)), info_(info), rules_left_(max_rules) {}

  Result<LegacyTable> Decode(Bytes blob) {
    auto described = DescribeLegacyTable(family_, name_, info_.valid_hooks);
    if (!described) {
      return Failure(described.error());
    }
    if (auto located = LocateEntries(blob); !located) {
      return Failure(located.error());
    }
    if (auto named = NameChains(); !named) {
      return Failure(named.error());
    }
    if (auto filled = FillChains(*described); !filled) {
      return Failure(filled.error());
    }
    LegacyTable result{std::move(*described), Hash()};
    for (auto& [name, chain] : chains_) {
      result.table.chains.insert_or_assign(name, std::make_shared<const Chain>(std::move(chain)));
    }
    return result;
  }

 private:
  using RawEntry = typename Layout::Entry;
  static constexpr std::size_t kTargetHeader = sizeof(xt_entry_target);

  Result<void> LocateEntries(Bytes blob) {
    std::size_t offset = 0;
    while (offset < blob.size()) {
      if (entries_.size() >= info_.entries) {
        return Malformed(name_, "more entries than announced");
      }
      if (blob.size() - offset < sizeof(RawEntry) + kTargetHeader) {
        return Malformed(name_, "an entry cut short");
      }
      const auto raw = Copy<RawEntry>(Slice(blob, offset, sizeof(RawEntry)));
      if (raw.next_offset > blob.size() - offset || raw.target_offset < sizeof(RawEntry) ||
          raw.target_offset + kTargetHeader > raw.next_offset) {
        return Malformed(name_, "an entry's sizes do not fit");
      }
      Entry entry;
      entry.offset = offset;
      entry.bytes = Slice(blob, offset, raw.next_offset);
      entry.target_offset = raw.target_offset;
      const Bytes target = entry.bytes.subspan(raw.target_offset);
      const auto size = Copy<std::uint16_t>(target);
      if (size < kTargetHeader || size > target.size()) {
        return Malformed(name_, "a target's size does not fit");
      }
      entry.target = BoundedName(Slice(target, offsetof(xt_entry_target, u.user.name), XT_EXTENSION_MAXNAMELEN));
      entry.target_revision = std::to_integer<std::uint8_t>(target[offsetof(xt_entry_target, u.user.revision)]);
      entry.target_data = Slice(target, kTargetHeader, size - kTargetHeader);
      entries_.push_back(entry);
      offset += raw.next_offset;
    }
    if (entries_.size() != info_.entries || entries_.empty() || entries_.back().target != XT_ERROR_TARGET) {
      return Malformed(name_, "it does not end where it should");
    }
    return {};
  }

  // A user chain is an entry with the target ERROR that carries its name, then its rules. The last ERROR ends the
  // table.
  Result<void> NameChains() {
    for (std::size_t i = 0; i + 1 < entries_.size(); ++i) {
      if (entries_[i].target != XT_ERROR_TARGET) {
        continue;
      }
      std::string chain(BoundedName(Slice(
          entries_[i].target_data, 0, std::min<std::size_t>(entries_[i].target_data.size(), XT_FUNCTION_MAXNAMELEN))));
      if (chain.empty()) {
        return Malformed(name_, "a chain without a name");
      }
      user_chains_.emplace(entries_[i + 1].offset, std::move(chain));
    }
    return {};
  }

  Result<void> FillChains(const Table& described) {
    std::map<std::size_t, std::pair<std::size_t, std::size_t>> base_chains;  // first entry -> hook, policy's offset
    for (std::size_t hook = 0; hook < kLegacyHooks; ++hook) {
      if ((info_.valid_hooks & (1U << hook)) != 0 &&
          !base_chains.emplace(info_.hook_entry[hook], std::pair(hook, std::size_t{info_.underflow[hook]})).second) {
        return Malformed(name_, "two hooks share a chain");
      }
    }
    Chain* chain = nullptr;  // of the entry at hand
    std::size_t policy_offset = 0;
    std::size_t policies = 0;
    for (std::size_t i = 0; i + 1 < entries_.size(); ++i) {
      const Entry& entry = entries_[i];
      if (entry.target == XT_ERROR_TARGET) {
        chain = nullptr;
        continue;
      }
      if (const auto base = base_chains.find(entry.offset); base != base_chains.end()) {
        chain = AddBaseChain(described, base->second.first);
        policy_offset = base->second.second;
      } else if (const auto user = user_chains_.find(entry.offset); user != user_chains_.end()) {
        chain = AddChain(user->second);
        policy_offset = 0;
      }
      if (chain == nullptr) {
        return Malformed(name_, "a rule outside any chain, or two chains of one name");
      }
      if (chain->base && entry.offset == policy_offset) {
        if (auto policy = DecodePolicy(entry, *chain->base); !policy) {
          return policy;
        }
        ++policies;
        chain = nullptr;  // nothing of a base chain follows its policy
        continue;
      }
      // The kernel ends every user chain with a plain RETURN of its own making, which no tool prints.
      const bool foot = !chain->base && entries_[i + 1].target == XT_ERROR_TARGET && IsPlainReturn(entry);
      if (foot) {
        continue;
      }
      if (auto added = AddRule(entry, *chain); !added) {
        return added;
      }
    }
    if (policies != base_chains.size()) {
      return Malformed(name_, "a base chain without a policy");
    }
    return {};
  }

  // Null when the chain is there already.
  Chain* AddChain(const std::string& name) {
    const auto [place, added] = chains_.try_emplace(name);
    place->second.name = name;
    return added ? &place->second : nullptr;
  }

  Chain* AddBaseChain(const Table& described, std::size_t hook) {
    for (const auto& [name, listed] : described.chains) {
      if (static_cast<std::size_t>(HookNumber(listed->base->hook)) == hook) {
        Chain* chain = AddChain(name);
        if (chain != nullptr) {
          chain->base = listed->base;
        }
        return chain;
      }
    }
    return nullptr;
  }

  static int HookNumber(Hook hook) { return static_cast<int>(hook) - static_cast<int>(Hook::kPrerouting); }

  static std::optional<std::int32_t> StandardVerdict(const Entry& entry) {
    if (entry.target != XT_STANDARD_TARGET || entry.target_data.size() < sizeof(std::int32_t)) {
      return std::nullopt;
    }
    return Copy<std::int32_t>(entry.target_data);
  }

  Result<void> DecodePolicy(const Entry& entry, BaseChain& base) {
    const auto verdict = StandardVerdict(entry);
    if (verdict != -NF_DROP - 1 && verdict != -NF_ACCEPT - 1) {
      return Malformed(name_, "a policy that neither accepts nor drops");
    }
    base.policy_drop = *verdict == -NF_DROP - 1;
    base.policy_counter = CounterOf(entry);
    return {};
  }

  static Counter CounterOf(const Entry& entry) {
    const auto raw = Copy<RawEntry>(entry.bytes);
    return Counter{raw.counters.pcnt, raw.counters.bcnt};
  }

  static std::optional<IpHeaderMatch> HeaderOf(const Entry& entry) {
    const auto raw = Copy<RawEntry>(entry.bytes);
    IpHeaderMatch match;
    Layout::Decode(raw, match);
    IpHeaderMatch anything;
    anything.ipv6 = match.ipv6;
    anything.flags = match.flags & Layout::kGoto;
    return match == anything ? std::nullopt : std::optional(match);
  }

  static bool IsPlainReturn(const Entry& entry) {
    return StandardVerdict(entry) == XT_RETURN && entry.target_offset == sizeof(RawEntry) && !HeaderOf(entry);
  }

  Result<void> AddRule(const Entry& entry, Chain& chain) {
    if (rules_left_ == 0) {
      chain.contents = Contents::kTruncated;
      return {};
    }
    --rules_left_;
    Rule rule;
    rule.index = static_cast<std::uint32_t>(chain.rules.size() + 1);
    if (auto header = HeaderOf(entry)) {
      rule.expressions.emplace_back(std::make_shared<const IpHeaderMatch>(*header));
    }
    if (auto matches = AddMatches(entry, rule); !matches) {
      return matches;
    }
    rule.expressions.emplace_back(CounterOf(entry));
    if (auto target = AddTarget(entry, rule); !target) {
      return target;
    }
    chain.rules.push_back(std::move(rule));
    return {};
  }

  Result<void> AddMatches(const Entry& entry, Rule& rule) {
    Bytes matches = Slice(entry.bytes, sizeof(RawEntry), entry.target_offset - sizeof(RawEntry));
    while (!matches.empty()) {
      constexpr std::size_t kHeader = sizeof(xt_entry_match);
      const std::size_t size = matches.size() < kHeader ? 0 : Copy<std::uint16_t>(matches);
      if (size < kHeader || size > matches.size()) {
        return Malformed(name_, "a match's size does not fit");
      }
      const Bytes info = Slice(matches, kHeader, size - kHeader);
      rule.expressions.emplace_back(XtMatch{
          std::string(BoundedName(Slice(matches, offsetof(xt_entry_match, u.user.name), XT_EXTENSION_MAXNAMELEN))),
          std::to_integer<std::uint32_t>(matches[offsetof(xt_entry_match, u.user.revision)]),
          Value(info.begin(), info.end())});
      matches = matches.subspan(size);
    }
    return {};
  }

  Result<void> AddTarget(const Entry& entry, Rule& rule) {
    if (entry.target != XT_STANDARD_TARGET) {
      rule.expressions.emplace_back(XtTarget{std::string(entry.target), entry.target_revision,
                                             Value(entry.target_data.begin(), entry.target_data.end())});
      return {};
    }
    const auto verdict = StandardVerdict(entry);
    if (!verdict) {
      return Malformed(name_, "a verdict cut short");
    }
    if (*verdict < 0) {
      switch (*verdict) {
        case -NF_DROP - 1:
          rule.expressions.emplace_back(VerdictStatement{Verdict{Verdict::Kind::kDrop, {}}});
          return {};
        case -NF_ACCEPT - 1:
          rule.expressions.emplace_back(VerdictStatement{Verdict{Verdict::Kind::kAccept, {}}});
          return {};
        case -NF_QUEUE - 1:
          rule.expressions.emplace_back(VerdictStatement{Verdict{Verdict::Kind::kQueue, {}}});
          return {};
        case XT_RETURN:
          rule.expressions.emplace_back(VerdictStatement{Verdict{Verdict::Kind::kReturn, {}}});
          return {};
        default:
          return Malformed(name_, "a verdict that x_tables does not have");
      }
    }
    const auto offset = static_cast<std::size_t>(*verdict);
    const auto raw = Copy<RawEntry>(entry.bytes);
    IpHeaderMatch header;
    Layout::Decode(raw, header);
    const bool go_to = (header.flags & Layout::kGoto) != 0;
    if (const auto chain = user_chains_.find(offset); chain != user_chains_.end()) {
      const auto kind = go_to ? Verdict::Kind::kGoto : Verdict::Kind::kJump;
      rule.expressions.emplace_back(VerdictStatement{Verdict{kind, chain->second}});
      return {};
    }
    if (!go_to && offset == entry.offset + entry.bytes.size()) {
      return {};  // a rule without a target: on to the next one
    }
    return Malformed(name_, "a jump to what is no chain");
  }

  std::uint64_t Hash() const {
    std::uint64_t hash = Mix(info_.valid_hooks, {});
    for (std::size_t hook = 0; hook < kLegacyHooks; ++hook) {
      const std::uint32_t places[] = {info_.hook_entry[hook], info_.underflow[hook]};
      hash = Mix(hash, std::as_bytes(std::span(places)));
    }
    for (const Entry& entry : entries_) {
      // nfcache, comefrom and the counters are the kernel's own; the rest is what somebody wrote.
      hash = Mix(hash, Slice(entry.bytes, 0, offsetof(RawEntry, nfcache)));
      hash = Mix(hash, entry.bytes.subspan(sizeof(RawEntry)));
    }
    return hash;
  }

  TableFamily family_;
  std::string name_;
  const LegacyTableInfo& info_;
  std::size_t rules_left_;
  std::vector<Entry> entries_;
  std::map<std::size_t, std::string> user_chains_;  // offset of the first rule -> name
  std::map<std::string, Chain> chains_;
};

}  // namespace

Result<LegacyTable> DecodeLegacyTable(TableFamily family, const std::string& name, const LegacyTableInfo& info,
                                      Bytes entries, std::size_t max_rules) {
  return family == TableFamily::kIpv6 ? Decoder<Ipv6>(family, name, info, max_rules).Decode(entries)
                                      : Decoder<Ipv4>(family, name, info, max_rules).Decode(entries);
}

}  // namespace finwait::firewall::read
