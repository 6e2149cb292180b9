#pragma once

#include <memory>

#include "collectors/kernel/bpf_inventory.h"
#include "collectors/kernel/host.h"

namespace finwait::exporter {

/// What can be listed of BPF now: to be asked for before the sandbox, as it takes rights that nothing else of this
/// program does (CAP_SYS_ADMIN in the first user namespace). Null where they are missing.
std::shared_ptr<const kernel::BpfInventory> ReadBpfInventory(kernel::Host host);

}  // namespace finwait::exporter
