#pragma once

#include "collectors/sources/table_walk.h"
#include "exporter/command_line/options.h"

namespace finwait::exporter {

/// Starts the process that walks the conntrack table in the kernel, as a child of the reader's: empty where `options`
/// do not ask for it. It holds CAP_BPF and CAP_PERFMON until its program is loaded, and from then on nothing: no
/// capability, no file but the number of entries, no socket but the one that is asked for walks; it ends with the
/// reader. To be called before privileges are given up and before the first thread.
sources::TableWalk StartTableWalk(const command_line::Options& options);

}  // namespace finwait::exporter
