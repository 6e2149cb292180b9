#pragma once

#include <string_view>

#include "collectors/firewall/xt/extension.h"

namespace finwait::firewall::xt {

/// The reason where an IPsec policy decides.
inline constexpr std::string_view kIpsecPolicy = "an IPsec policy";

/// Whether IPsec transforms the packet, or has brought it: kNo where no policy is for it, else kUnknown. The policies
/// of single sockets aside.
Tristate PassesIpsec(const Packet& packet, FactLookup& facts);

}  // namespace finwait::firewall::xt
