#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace finwait::kernel::namespaces {

/// The rest of the first line that begins with `start`, from position `from` of `content` on; empty where there is
/// none. `end`: where that line ends.
std::string_view LineOf(std::string_view content, std::string_view start, std::size_t from, std::size_t& end);

/// Calls `visit` with name and value of each counter of one group ("Tcp:") of net/snmp or net/netstat, which are pairs
/// of lines: "Tcp: NAME NAME" and then "Tcp: VALUE VALUE". A value that is missing is empty.
void VisitCounters(std::string_view content, std::string_view group,
                   const std::function<void(std::string_view name, std::string_view value)>& visit);

}  // namespace finwait::kernel::namespaces
