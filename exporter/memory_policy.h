#pragma once

namespace finwait {

/// Makes freed memory go back to the kernel rather than stay with the process: what one burst of large responses needed
/// is not resident ever after. To be called once, first thing in main, as it concerns the whole process.
void ReturnFreedMemory();

}  // namespace finwait
