#pragma once

#include <cstdint>
#include <string>

#include "collectors/base/ip.h"
#include "collectors/base/text.h"
#include "collectors/kernel/namespaces/owner.h"
#include "collectors/kernel/tcp_state.h"

namespace finwait::report {

/// "90 s", "25 min", "5 h", "3 d": rounded down to what a person reads at a glance. `seconds` is not negative.
std::string Lasting(double seconds);

/// "FIN_WAIT_1": as the kernel and RFC 9293 spell it.
std::string KernelName(kernel::TcpState state);

/// "IPv4", "IPv6".
std::string_view FamilyText(IpFamily family);

/// Who holds a socket, as far as the socket itself tells: "no process", "uid 33".
std::string HolderText(bool orphan, std::uint32_t uid);

/// Owner::Text(), and words where that cannot be told.
std::string OwnerName(const kernel::namespaces::Owner& owner);

}  // namespace finwait::report
