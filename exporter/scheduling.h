#pragma once

namespace finwait {

/// Asks the kernel for the shortest turns on a CPU (0.1 ms, sched_attr::sched_runtime of a normal task, Linux 6.12) for
/// the calling thread and those that it starts. Their share stays what it is, but a look that computes gives way
/// to whoever wakes up: to a scrape and to the host's own work. Without this a scrape that falls on the CPU of a look
/// waits for up to 3 ms. Does nothing where the kernel is older or does not let us: then it is as if it had not been
/// called.
void TakeShortTurns();

}  // namespace finwait
