#pragma once

namespace finwait::service {

/// Makes freed memory go back to the kernel rather than stay with the process: what one burst of large responses needed
/// is not resident ever after. To be called once, first thing in main, as it concerns the whole process.
void ConfigureAllocator();

/// Gives back at once what lies free between blocks that are in use, for when large work is over. Takes milliseconds
/// for tens of megabytes, during which other threads wait if they allocate.
void TrimMemory();

}  // namespace finwait::service
