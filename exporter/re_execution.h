#pragma once

#include <optional>
#include <string>

#include "collectors/base/result.h"
#include "exporter/reader.h"

/// How a process loses capabilities where it may not reduce them. The package's unit refuses capset(), which belongs to
/// a group of calls that are better refused as a whole. Then the program is executed again in the same process: a new
/// program has no more capabilities than are ambient, and those can be given up without that call.
namespace finwait::exporter {

/// Whether that is needed: this process has a capability, and may not reduce it.
bool MustReExecute();

/// Executes this program again, with the same arguments and without any capability. It finds `reader` by TakeReader();
/// null where there is none yet. Returns only where that fails.
Error ReExecute(const Reader* reader);

/// Executes this program again in this process, with the same arguments, and `variable` in its environment. Returns
/// only where that fails.
Error ReExecuteProgram(const char* variable, const std::string& value);

/// The descriptor of the channel to a reader that was there before the program was executed again.
std::optional<int> ChannelFromBefore();

/// That reader; to be called once. Nothing where there is none.
std::optional<Reader> TakeReader();

}  // namespace finwait::exporter
