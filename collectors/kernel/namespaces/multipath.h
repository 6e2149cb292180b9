#pragma once

#include <string_view>

namespace finwait::kernel::namespaces {

/// Whether connections of a network namespace may be of Multipath TCP, by its net/netstat: one was agreed on with a
/// peer (MPCapableSYNACKRX, MPCapableACKRX, Linux 5.6), and one is open (MPCurrEstab, Linux 6.8). Which they are, the
/// lists of procfs do not tell. A kernel without Multipath TCP counts none of it.
bool MayBeMultipath(std::string_view netstat);

}  // namespace finwait::kernel::namespaces
