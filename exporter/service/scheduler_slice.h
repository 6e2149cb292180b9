#pragma once

namespace finwait::service {

/// Asks the kernel for the shortest turns on a CPU (0.1 ms, sched_attr::sched_runtime of a normal task, Linux 6.12) for
/// the calling thread and those that it starts. Their share stays what it is, but it comes in smaller pieces: a
/// collection that computes gives way within that time to whoever wakes up, to a scrape or the host's own work, and a
/// scrape need not wait for others' turns to end, which would take up to 3 ms. Does nothing where the kernel is older
/// or does not let us, or where an administrator has chosen another policy than that of normal tasks.
void SetSchedulerSlice();

}  // namespace finwait::service
