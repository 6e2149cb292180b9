#include "tests/lab/paths.h"

namespace finwait::lab {

// Only this file is compiled with the two paths, so that ccache serves every other one to any checkout.
std::filesystem::path SourceFolder() { return FINWAIT_SOURCE_DIR; }

std::string Program() { return FINWAIT_PROGRAM; }

}  // namespace finwait::lab
