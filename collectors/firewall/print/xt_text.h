#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collectors/firewall/model/expression.h"
#include "collectors/kernel/netlink/attributes.h"

/// Extensions of x_tables as iptables-save writes them. What an extension of an unknown name, revision or size says is
/// left out and stands there as "[...]".
namespace finwait::firewall::print {

/// "-m conntrack --ctstate INVALID".
std::string XtMatchText(const XtMatch& match, bool ipv6);

/// "-j REJECT --reject-with tcp-reset".
std::string XtTargetText(const XtTarget& target, bool ipv6);

/// A string as iptables-save quotes it: as it is when it is one plain word, else between double quotes.
std::string XtQuoted(std::string_view text);

/// "22" or "22:80".
std::string PortRangeText(std::uint16_t first, std::uint16_t last);

/// "FIN,SYN", "NONE".
std::string XtTcpFlagsText(std::uint32_t flags);

/// "5/min", from the tenths of milliseconds between two packets.
std::string XtRateText(std::uint32_t period);

/// The fixed part of an extension's private structure; nothing where it is too short. Copied, so that alignment does
/// not matter.
template <typename T>
std::optional<T> XtInfo(const Value& info) {
  return kernel::netlink::Attribute(0, info).Read<T>();
}

}  // namespace finwait::firewall::print
