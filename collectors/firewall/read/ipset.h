#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/firewall/facts/fact.h"
#include "collectors/firewall/facts/need.h"
#include "collectors/kernel/host.h"

namespace finwait::firewall::read {

/// The ipset that rules call by `index`, without its elements; of a list:set also what it lists. Ask only where a rule
/// names it: then the subsystem is there. kUnsupported: there is no such set, or the kernel (before 4.20) does not tell
/// the name behind an index.
Result<facts::Ipset> ReadIpset(const kernel::Host& host, std::uint16_t index, Deadline deadline);

/// Whether each of `keys` is in its set now, in their order. Each set is listed once (IPSET_CMD_LIST), if it has at
/// most IpsetMembers::kMost members.
std::vector<Result<bool>> AreInIpsets(const kernel::Host& host, const std::vector<facts::IpsetElementKey>& keys,
                                      Deadline deadline);

/// What their sets keep beside each of `keys`, in their order.
std::vector<Result<facts::IpsetExtensions>> ExtensionsInIpsets(const kernel::Host& host,
                                                               const std::vector<facts::IpsetElementKey>& keys,
                                                               Deadline deadline);

/// Whether the ipset of that name has room for some more elements, by its header alone. A hash has as much as somebody
/// asked for, other types have none that packets fill.
Result<bool> HasIpsetRoom(const kernel::Host& host, const std::string& name, Deadline deadline);

/// All members of the ipset of that name that TCP packets may hit, at most IpsetMembers::kMost.
Result<facts::IpsetContents> ReadIpsetContents(const kernel::Host& host, const std::string& name, Deadline deadline);

}  // namespace finwait::firewall::read
