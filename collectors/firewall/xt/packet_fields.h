#pragma once

#include <cstdint>

#include "collectors/firewall/xt/extension.h"

/// Parts of a packet that several extensions ask for or change.
namespace finwait::firewall::xt {

/// (byte & mask) == value.
Condition ByteIs(const AbstractByte& byte, std::uint8_t mask, std::uint8_t value, IpFamily family);

/// (number & mask) == value.
Condition NumberIs(const AbstractNumber<4>& number, std::uint32_t mask, std::uint32_t value, IpFamily family);

/// from <= port <= to.
Condition PortIn(AbstractBytes port, std::uint16_t from, std::uint16_t to, IpFamily family);

/// The type of service (IPv4) or traffic class (IPv6) of `packet`, ECN bits included.
Condition TypeOfServiceIs(const Packet& packet, std::uint8_t mask, std::uint8_t value);

/// `number` with the bits of `clear` cleared and those of `flip` inverted after that, as the targets for marks write.
AbstractNumber<4> Marked(const AbstractNumber<4>& number, std::uint32_t clear, std::uint32_t flip);

/// The same for one byte.
AbstractByte Marked(const AbstractByte& byte, std::uint8_t clear, std::uint8_t flip);

/// Writes the type of service or traffic class of `packet` in the same way.
void MarkTypeOfService(Packet& packet, std::uint8_t clear, std::uint8_t flip);

/// Whether nf_ct_get() gives an entry (or a template) for the packet.
bool HasEntry(const Packet& packet);

/// The reason where an answer depends on what conntrack's entry holds.
inline constexpr std::string_view kEntry = "what conntrack knows of the connection";

/// For matches that no TCP packet without IP options, fragments and extension headers passes.
Conditions Never(const XtMatch& match, const Packet& packet, const HookContext& context, FactLookup& facts);

/// For matches that every packet passes.
Conditions Always(const XtMatch& match, const Packet& packet, const HookContext& context, FactLookup& facts);

}  // namespace finwait::firewall::xt
