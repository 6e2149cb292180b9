#pragma once

#include <span>
#include <vector>

#include "collectors/firewall/packet/abstract_value.h"
#include "collectors/firewall/packet/hook_context.h"
#include "collectors/firewall/packet/packet.h"

/// The translation of addresses, whoever asks for it: a statement of nftables or a target of x_tables.
namespace finwait::firewall::packet {

/// What a translation makes of an address or a port.
struct NewValue {
  enum class Kind {
    kStays,
    kRange,     ///< one of `first` to `last`, in network order
    kAnything,  ///< what nobody can know
  };
  Kind kind = Kind::kStays;
  std::vector<AbstractByte> first;
  std::vector<AbstractByte> last;

  /// One of `first` to `last`.
  static NewValue Between(std::span<const std::byte> first, std::span<const std::byte> last);
  static NewValue Anything() { return {Kind::kAnything, {}, {}}; }
};

struct Translation {
  bool destination = false;  ///< else the source
  NewValue address = {};
  NewValue port = {};
  bool random_port = false;  ///< NF_NAT_RANGE_PROTO_RANDOM_ALL
};

/// The address that MASQUERADE gives to `packet`.
NewValue MasqueradeAddress(const Packet& packet, const HookContext& context);

/// The address that REDIRECT gives to it.
NewValue RedirectAddress(const Packet& packet, const HookContext& context);

/// Rewrites one end of `packet`, which nat has not decided about before.
void Translate(Packet& packet, const Translation& translation);

}  // namespace finwait::firewall::packet
