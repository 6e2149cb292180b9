#include "collectors/firewall/eval/chain_index.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

namespace finwait::firewall::eval {
namespace {

// Places that are told apart: source and destination of either family, and prefixes of them.
constexpr std::size_t kGroups = 16;
constexpr std::size_t kShortest = 3;  // bytes worth looking up

// The values that the bytes from `offset` on can have, where they are one whole field; null: any.
const packet::IntervalSet* DomainOf(std::size_t offset, std::size_t length, const Packet& packet) {
  if (offset + length > packet.NetworkLength()) {
    return nullptr;
  }
  const Field field = packet.network[offset].field;
  for (std::size_t i = 0; i < length; ++i) {
    const AbstractByte& byte = packet.network[offset + i];
    if (byte.known != 0 || byte.field != field || byte.index != i) {
      return nullptr;
    }
  }
  const auto domain =
      std::find_if(packet.domains.begin(), packet.domains.end(), [&](const auto& each) { return each.first == field; });
  return domain != packet.domains.end() && SizeOf(field, packet.family) == length ? &domain->second : nullptr;
}

// The first rule, from `from` on, of those entries that `domain` holds; nothing where these are many, as looking at
// them costs more than it saves.
template <typename Entry>
std::optional<std::size_t> NextOfFew(const std::vector<Entry>& entries, std::size_t length, std::size_t from,
                                     const packet::IntervalSet& domain, std::size_t end) {
  constexpr std::size_t kFew = 64;
  if (domain.Intervals().size() > 2 * kFew) {
    return std::nullopt;
  }
  std::size_t seen = 0;
  std::size_t next = end;
  for (const packet::IntervalSet::Interval& each : domain.Intervals()) {
    Entry first{{}, 0};
    Entry last{{}, static_cast<std::uint32_t>(-1)};
    for (std::size_t i = 0; i < length; ++i) {
      const std::size_t shift = 8 * (length - 1 - i);
      first.value[i] = static_cast<std::byte>(each.first >> shift);
      last.value[i] = static_cast<std::byte>(each.last >> shift);
    }
    for (auto found = std::lower_bound(entries.begin(), entries.end(), first); found != entries.end() && *found <= last;
         ++found) {
      if (++seen > kFew) {
        return std::nullopt;
      }
      if (found->rule >= from) {
        next = std::min<std::size_t>(next, found->rule);
      }
    }
  }
  return next;
}

std::size_t NextOf(const std::vector<std::uint32_t>& rules, std::size_t from, std::size_t end) {
  const auto found = std::lower_bound(rules.begin(), rules.end(), from);
  return found == rules.end() ? end : *found;
}

}  // namespace

// What stands before the comparison must be without effect of its own: whether it holds or nobody can tell, the packet
// goes on to the next rule as it came.
bool ChainIndex::Requirement(const Rule& rule, Place* place, Bytes* value) {
  std::vector<std::pair<Register, Place>> loaded;
  for (const Expression& expression : rule.expressions) {
    if (const auto* match = std::get_if<std::shared_ptr<const IpHeaderMatch>>(&expression)) {
      const std::uint32_t length = (*match)->ipv6 ? 16 : 4;
      const std::uint32_t source = (*match)->ipv6 ? 8 : 12;
      const auto whole = [&](const IpHeaderMatch::Address& mask, unsigned inverted) {
        return ((*match)->inverse_flags & inverted) == 0 &&
               std::all_of(mask.begin(), mask.begin() + length, [](std::byte each) { return each == std::byte{0xff}; });
      };
      if (whole((*match)->destination_mask, IPT_INV_DSTIP)) {
        *place = {source + length, length};
        *value = (*match)->destination;
        return true;
      }
      if (whole((*match)->source_mask, IPT_INV_SRCIP)) {
        *place = {source, length};
        *value = (*match)->source;
        return true;
      }
      return false;
    }
    if (const auto* load = std::get_if<PayloadLoad>(&expression)) {
      if (load->base != NFT_PAYLOAD_NETWORK_HEADER && load->base != NFT_PAYLOAD_TRANSPORT_HEADER) {
        return false;
      }
      if (load->base == NFT_PAYLOAD_NETWORK_HEADER) {
        loaded.emplace_back(load->destination, Place{load->offset, load->length});
      } else {
        std::erase_if(loaded, [&](const auto& each) { return each.first == load->destination; });
      }
    } else if (const auto* compare = std::get_if<Compare>(&expression)) {
      // The newest load into the register counts.
      const auto from =
          std::find_if(loaded.rbegin(), loaded.rend(), [&](const auto& each) { return each.first == compare->source; });
      if (compare->operation == NFT_CMP_EQ && from != loaded.rend() && from->second.length == compare->value.size() &&
          from->second.length >= kShortest && from->second.length <= value->size()) {
        *place = from->second;
        *value = {};
        std::copy(compare->value.begin(), compare->value.end(), value->begin());
        return true;
      }
    } else if (const auto* meta = std::get_if<MetaLoad>(&expression)) {
      std::erase_if(loaded, [&](const auto& each) { return each.first == meta->destination; });
    } else if (!std::holds_alternative<Counter>(expression)) {
      return false;
    }
  }
  return false;
}

ChainIndex::ChainIndex(const Chain& chain) : size_(chain.rules.size()) {
  for (std::uint32_t i = 0; i < size_; ++i) {
    Place place;
    Entry entry{{}, i};
    if (!Requirement(chain.rules[i], &place, &entry.value)) {
      others_.push_back(i);
      continue;
    }
    auto group = std::find_if(groups_.begin(), groups_.end(), [&](const Group& each) { return each.place == place; });
    if (group == groups_.end()) {
      if (groups_.size() == kGroups) {
        others_.push_back(i);
        continue;
      }
      group = groups_.insert(groups_.end(), Group{place, {}, {}});
    }
    group->entries.push_back(entry);
    group->rules.push_back(i);
  }
  for (Group& group : groups_) {
    std::sort(group.entries.begin(), group.entries.end());
  }
}

// The byte's value, where it is known or follows from the one value that its field can still have.
std::optional<std::uint8_t> ChainIndex::ValueOf(const AbstractByte& byte, const Packet& packet) {
  if (byte.IsKnown()) {
    return byte.value;
  }
  const auto domain = std::find_if(packet.domains.begin(), packet.domains.end(),
                                   [&](const auto& each) { return each.first == byte.field; });
  if (byte.known != 0 || domain == packet.domains.end()) {
    return std::nullopt;
  }
  const auto only = packet::OnlyValue(domain->second);
  const unsigned size = SizeOf(byte.field, packet.family);
  return only ? std::optional(static_cast<std::uint8_t>(*only >> (8 * (size - 1 - byte.index)))) : std::nullopt;
}

std::size_t ChainIndex::NextIn(const Group& group, std::size_t from, const Packet& packet, std::size_t end) {
  Entry wanted{{}, static_cast<std::uint32_t>(from)};
  for (std::size_t i = 0; i < group.place.length; ++i) {
    const std::size_t at = group.place.offset + i;
    const auto value = at < packet.NetworkLength() ? ValueOf(packet.network[at], packet) : std::nullopt;
    if (!value) {
      const packet::IntervalSet* domain = DomainOf(group.place.offset, group.place.length, packet);
      const auto next = domain != nullptr ? NextOfFew(group.entries, group.place.length, from, *domain, end)
                                          : std::optional<std::size_t>();
      return next ? *next : NextOf(group.rules, from, end);  // any of them
    }
    wanted.value[i] = std::byte{*value};
  }
  const auto found = std::lower_bound(group.entries.begin(), group.entries.end(), wanted);
  return found != group.entries.end() && found->value == wanted.value ? found->rule : end;
}

std::size_t ChainIndex::Next(std::size_t from, const Packet& packet) const {
  std::size_t next = NextOf(others_, from, size_);
  for (const Group& group : groups_) {
    next = std::min(next, NextIn(group, from, packet, next));
  }
  return next;
}

}  // namespace finwait::firewall::eval
