#include "exporter/privilege/file_domain.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace finwait::privilege {
namespace {

// The kernel's structure as of ABI 6; an older header has but its beginning. An older kernel takes what it knows, as
// long as the rest is zero.
struct RulesetAttributes {
  std::uint64_t files = 0;
  std::uint64_t network = 0;  // ABI 4
  std::uint64_t scoped = 0;   // ABI 6
};
constexpr std::uint64_t kFilesOfAbi1 = (std::uint64_t{1} << 13) - 1;  // LANDLOCK_ACCESS_FS_EXECUTE to _MAKE_SYM
constexpr std::uint64_t kRefer = std::uint64_t{1} << 13;              // ABI 2
constexpr std::uint64_t kTruncate = std::uint64_t{1} << 14;           // ABI 3
constexpr std::uint64_t kDeviceIoctl = std::uint64_t{1} << 15;        // ABI 5
constexpr std::uint64_t kBindTcp = 1;
constexpr std::uint64_t kConnectTcp = 2;
constexpr std::uint64_t kAbstractSocketsAndSignals = 3;

RulesetAttributes HandledBy(long abi, FileDomain::Scope scope) {
  if (scope == FileDomain::Scope::kReading) {
    return {LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR};
  }
  const std::uint64_t tcp = kBindTcp | (scope == FileDomain::Scope::kClient ? 0 : kConnectTcp);
  return {kFilesOfAbi1 | (abi >= 2 ? kRefer : 0) | (abi >= 3 ? kTruncate : 0) | (abi >= 5 ? kDeviceIoctl : 0),
          abi >= 4 ? tcp : 0, abi >= 6 ? kAbstractSocketsAndSignals : 0};
}

}  // namespace

Result<FileDomain> FileDomain::Enter(const std::vector<std::filesystem::path>& readable, Scope scope) {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, std::size_t{0}, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) {
    return FailErrno("confine this process to its files by Landlock", errno == ENOSYS ? EOPNOTSUPP : errno);
  }
  const RulesetAttributes handled = HandledBy(abi, scope);
  const UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, std::uint32_t{0})));
  if (!ruleset) {
    return FailErrno("make a Landlock ruleset", errno);
  }
  FileDomain domain;
  for (const std::filesystem::path& path : readable) {
    UniqueFd file(::open(path.c_str(), O_PATH | O_CLOEXEC));
    struct stat status = {};
    if (!file || ::fstat(file.Get(), &status) != 0) {
      continue;
    }
    landlock_path_beneath_attr beneath = {};
    beneath.allowed_access =
        LANDLOCK_ACCESS_FS_READ_FILE | (S_ISDIR(status.st_mode) ? std::uint64_t{LANDLOCK_ACCESS_FS_READ_DIR} : 0U);
    beneath.parent_fd = file.Get();
    if (::syscall(SYS_landlock_add_rule, ruleset.Get(), LANDLOCK_RULE_PATH_BENEATH, &beneath, std::uint32_t{0}) != 0) {
      if (errno == EBADFD) {
        continue;  // a pipe, say, which no domain has
      }
      return FailErrno("let this process read " + path.string() + " by Landlock", errno);
    }
    domain.held_.push_back(std::move(file));
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_landlock_restrict_self, ruleset.Get(), std::uint32_t{0}) != 0) {
    return FailErrno("enter a Landlock domain", errno);
  }
  return domain;
}

}  // namespace finwait::privilege
