#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace finwait::lab {

/// The root of the source tree that these tests were built from.
std::filesystem::path SourceFolder();

/// The path of the program under test, as it was built with these tests.
std::string Program();

/// Leaves out what /proc shows of other tests' namespaces: for every program that counts what one test has made.
inline constexpr const char* kOwnNamespaceOnly = "--namespaces=none";

/// `check` with kOwnNamespaceOnly, and `flags`.
std::vector<std::string> CheckCommand(const std::vector<std::string>& flags = {});

}  // namespace finwait::lab
