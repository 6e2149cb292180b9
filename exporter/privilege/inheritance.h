#pragma once

#include <optional>

#include "collectors/base/result.h"

namespace finwait::privilege {

/// Gives up what the program that started this one left open, and makes this process unreadable for others: to be
/// called first of all.
///
/// Descriptors above 2 are closed, except the `sockets` after 2 that a service manager passed (sd_listen_fds(3)):
/// through one that was left open by mistake, a directory say, code inside would reach what it may not open. Of 0, 1
/// and 2 those that are closed become /dev/null: a socket that took the number would get the log. PR_SET_DUMPABLE 0: no
/// core file has keys in it, and a process of the same user can neither attach nor read the memory.
/// `kept` stays, too: this program's own, from before it was executed again.
Result<void> GiveUpInheritance(unsigned sockets, std::optional<int> kept = std::nullopt);

/// From here on no new descriptor gets `first` for a number, or a higher one; those that are there stay. For good.
Result<void> LimitDescriptors(unsigned first);

/// Makes room for `most` descriptors where this process may have so many.
void AllowDescriptors(unsigned most);

/// The same of `least`, without which there is no use in going on: the failure says what to allow.
Result<void> RequireDescriptors(unsigned least);

/// Closes every descriptor above 2 but `kept`: for a process that was forked and has use for nothing else.
void CloseAllBut(int kept);

}  // namespace finwait::privilege
