#pragma once

#include <optional>
#include <string>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/kernel/entry_join.h"
#include "collectors/kernel/host.h"

namespace finwait::kernel {

/// The conntrack entry of the TCP connection between `local` and `peer` as `conntrack -L` prints it, by
/// libnetfilter_conntrack: which builds the question, reads the answer and prints it, while our channel sends. Looked
/// for in zone 0 and in `zones`. Nothing where there is none. Needs CAP_NET_ADMIN.
Result<std::optional<std::string>> FindEntryText(const Host& host, const Endpoint& local, const Endpoint& peer,
                                                 const ConntrackZones& zones, Deadline deadline);

namespace entry_text {

/// One entry as ctnetlink sends it (IPCTNL_MSG_CT_NEW), printed; nothing where the library cannot read it.
std::optional<std::string> Print(const netlink::Message& message);

}  // namespace entry_text

}  // namespace finwait::kernel
