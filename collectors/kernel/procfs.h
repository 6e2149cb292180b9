#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

#include "collectors/base/result.h"

namespace finwait::kernel {

/// The largest file that ReadSmallFile returns and the longest line that ForEachLine passes on, in bytes.
inline constexpr std::size_t kProcfsReadLimit = 64 * 1024;

/// The whole of a small file. Errors name the file; one that does not exist is ENOENT (see IsAbsent), one larger than
/// kProcfsReadLimit is kError.
Result<std::string> ReadSmallFile(const std::filesystem::path& path);

/// Calls `visit` for each line of a file of any size, without its newline; only one line is held at a time. A last line
/// without a newline counts. Ends early with the first error of `visit`, kTimeout at the deadline, or kError at a line
/// longer than kProcfsReadLimit.
Result<void> ForEachLine(const std::filesystem::path& path, Deadline deadline,
                         const std::function<Result<void>(std::string_view line)>& visit);

/// The whole number, at most `maximum`, that a file of /proc/sys holds, and nothing else but its newline. Errors name
/// the file and, bounded and quoted, what it holds.
Result<std::uint64_t> ReadProcfsUnsigned(const std::filesystem::path& path,
                                         std::uint64_t maximum = std::numeric_limits<std::uint64_t>::max());

/// Whether the error says that the file is not there: in procfs, that this kernel or this namespace lacks the feature.
bool IsAbsent(const Error& error);

}  // namespace finwait::kernel
