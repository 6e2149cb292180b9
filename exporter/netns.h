#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "collectors/base/result.h"
#include "collectors/kernel/namespaces/find_namespace.h"
#include "exporter/command_line/options.h"

namespace finwait::exporter {

/// The namespace that --netns names; nothing without the flag, or where it names the one that this process is in.
Result<std::optional<kernel::namespaces::NamedNamespace>> FindNetns(const command_line::Options& options);

}  // namespace finwait::exporter
