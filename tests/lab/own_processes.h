#pragma once

namespace finwait::lab {

/// Goes on in a child that has process and mount namespaces of its own: /proc shows what this test started and nothing
/// of the tests beside it, so that what is counted over all namespaces of the host can be counted exactly. All of it
/// ends with the caller, which ends as the child does. Call it in main(), before any thread; it needs root. Throws
/// where the kernel refuses.
void SeeOwnProcessesOnly();

}  // namespace finwait::lab
