#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/base/unique_fd.h"

namespace finwait::privilege {

/// The files that a process may still open (Landlock, Linux 5.13): those beneath a few folders, and only to read. It
/// may not bind or connect TCP sockets either (6.7), nor signal or trace processes that are not so confined (6.12).
/// Holds for threads started afterwards and cannot be undone, by whatever code.
class FileDomain {
 public:
  enum class Scope : std::uint8_t {
    kAll,
    kReading,  ///< other files cannot be read, and nothing else is refused
    kClient,   ///< as kAll, but TCP connections can be opened
  };

  /// Confines the calling thread; to be called before the first other thread, and before calls are filtered. Sets
  /// no_new_privs. Of `readable`, files or folders, those that are not there are left out. Needs Landlock: kUnsupported
  /// where the kernel has none. The domain must live as long as what it names is to be found: of procfs the kernel
  /// makes folders again, which would not be those that were named, unless somebody holds them.
  static Result<FileDomain> Enter(const std::vector<std::filesystem::path>& readable, Scope scope = Scope::kAll);

 private:
  std::vector<UniqueFd> held_;
};

}  // namespace finwait::privilege
