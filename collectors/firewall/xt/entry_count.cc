#include "collectors/firewall/xt/entry_count.h"

#include <optional>
#include <vector>

namespace finwait::firewall::xt {
namespace {

std::optional<IpAddress> KnownSource(const Packet& packet) {
  std::vector<std::byte> bytes;
  for (const AbstractByte& byte : packet.SourceAddress()) {
    if (!byte.IsKnown()) {
      return std::nullopt;
    }
    bytes.push_back(std::byte{byte.value});
  }
  return IpAddress::FromBytes(bytes);
}

bool IsFarAbove(std::uint32_t limit, const facts::Fact* fact) {
  constexpr std::uint64_t kMargin = 8;
  const std::uint64_t* counted = fact != nullptr ? fact->As<std::uint64_t>() : nullptr;
  return counted != nullptr && limit >= 2 * *counted + kMargin;
}

}  // namespace

Tristate IsAboveCount(std::uint32_t limit, const Packet* source, FactLookup& facts) {
  const facts::Fact* all = facts.Ask(facts::EntryCountKey{});
  if (IsFarAbove(limit, all)) {
    return Tristate::kNo;
  }
  // One address is asked for only where that can help.
  const auto address = source != nullptr && all != nullptr ? KnownSource(*source) : std::nullopt;
  return address && IsFarAbove(limit, facts.Ask(facts::EntryCountKey{address})) ? Tristate::kNo : Tristate::kUnknown;
}

}  // namespace finwait::firewall::xt
