#pragma once

namespace finwait::exporter {

/// What the commands that answer a question end with when they cannot: not enough was seen, or the answer depends on
/// what nobody knows. 0, 1 and 2 are each command's own; all are listed in the manual page.
constexpr int kCannotTell = 3;

}  // namespace finwait::exporter
