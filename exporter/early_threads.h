#pragma once

#include "collectors/base/result.h"
#include "exporter/command_line/options.h"

/// Threads that run before main() begins: those of libraries that somebody has put before this program (LD_PRELOAD).
/// Landlock binds the thread that enters a domain and those that it starts, no older ones (Linux 7.0 can bind all). So
/// where there are such, the program enters a first domain at once, and executes itself again inside: in a new program
/// the old threads are gone, and what starts before main() then is bound from its first instruction on.
namespace finwait::exporter {

/// To be called first of all in main(), once the command line is read. Does nothing where there are no such threads, or
/// the program has been executed again for them. In this first domain everything is allowed but to read files that this
/// program has no use for. Returns where that cannot be done (there is no Landlock), or need not.
void ConfineEarlyThreads(const command_line::Options& options);

/// Whether every thread that Landlock would not bind from here on is within that first domain, or there is none.
bool EarlyThreadsAreConfined();

}  // namespace finwait::exporter
