#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Parts of options as iptables-save writes them.
namespace finwait::firewall::xt {

/// " !" before an inverted option.
inline std::string Inversion(bool inverted) { return inverted ? " !" : ""; }

/// A string as iptables-save quotes it: as it is when it is one plain word, else between double quotes.
std::string Quoted(std::string_view text);

/// "22" or "22:80".
std::string PortRangeText(std::uint16_t first, std::uint16_t last);

/// " --sport 22:80", with its inversion; "" where the option says nothing. `range` is the first and the last port.
std::string PortOption(const char* option, const std::uint16_t (&range)[2], bool inverted);

/// " ! --mark 0x1/0xff".
std::string MarkOption(bool inverted, std::uint32_t mark, std::uint32_t mask);

/// "FIN,SYN", "NONE".
std::string TcpFlagsText(std::uint32_t flags);

}  // namespace finwait::firewall::xt
