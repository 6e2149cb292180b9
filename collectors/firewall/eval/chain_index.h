#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "collectors/firewall/eval/packet_names.h"
#include "collectors/firewall/model/ruleset.h"

namespace finwait::firewall::eval {

/// Finds the rules of a long chain that a packet may match, without running those that ask for other addresses:
/// kube-proxy has a rule for each service, a block list one for each address. What is passed over is known not to
/// match, so it decides nothing.
class ChainIndex {
 public:
  /// Chains of fewer rules are as fast without.
  static constexpr std::size_t kWorthIt = 32;

  explicit ChainIndex(const Chain& chain);

  /// The position of the first rule, from `from` on, that `packet` may match; the number of rules where there is none.
  std::size_t Next(std::size_t from, const Packet& packet) const;

 private:
  using Bytes = std::array<std::byte, 16>;
  struct Place {
    std::uint32_t offset = 0;  // in the IP header
    std::uint32_t length = 0;  // at most that of an IPv6 address
    bool operator==(const Place&) const = default;
  };
  struct Entry {
    Bytes value = {};  // in the first Place::length bytes
    std::uint32_t rule = 0;
    auto operator<=>(const Entry&) const = default;
  };
  // The rules that match only packets with certain bytes at one place.
  struct Group {
    Place place;
    std::vector<Entry> entries;        // sorted
    std::vector<std::uint32_t> rules;  // the same rules, in their order
  };

  static bool Requirement(const Rule& rule, Place* place, Bytes* value);
  static std::optional<std::uint8_t> ValueOf(const AbstractByte& byte, const Packet& packet);
  static std::size_t NextIn(const Group& group, std::size_t from, const Packet& packet, std::size_t end);

  std::size_t size_;
  std::vector<std::uint32_t> others_;  // that may match whatever the header says
  std::vector<Group> groups_;
};

}  // namespace finwait::firewall::eval
