#pragma once

#include <filesystem>
#include <string>

namespace finwait::lab {

/// The root of the source tree that these tests were built from.
std::filesystem::path SourceFolder();

/// The path of the program under test, as it was built with these tests.
std::string Program();

}  // namespace finwait::lab
