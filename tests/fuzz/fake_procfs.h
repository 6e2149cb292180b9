#pragma once

#include <filesystem>
#include <string_view>

namespace finwait::fuzz {

/// A directory that stands in for procfs, removed with this object.
class FakeProcfs {
 public:
  FakeProcfs();
  ~FakeProcfs();
  FakeProcfs(const FakeProcfs&) = delete;
  FakeProcfs& operator=(const FakeProcfs&) = delete;

  const std::filesystem::path& Root() const { return root_; }
  /// Writes a file, whose folder has to be there: those of every file that this program reads are.
  void Write(const std::filesystem::path& relative, std::string_view content) const;

 private:
  std::filesystem::path root_;
};

/// One for the whole process, with the conntrack settings of a host at its defaults.
const std::filesystem::path& OrdinaryProcfs();

}  // namespace finwait::fuzz
