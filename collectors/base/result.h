#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace finwait {

/// Why a collector could not read what it was asked to. Exactly the values of the label `reason` of
/// finwait_collector_failures_total; the contract allows at most four.
enum class FailureReason {
  kPermission,   ///< EPERM or EACCES: a capability or a group is missing
  kUnsupported,  ///< this kernel, or this namespace, does not have the feature
  kTimeout,      ///< the deadline passed
  kError,        ///< anything else: a malformed answer, a resource that ran out
};
inline constexpr FailureReason kFailureReasons[] = {FailureReason::kPermission, FailureReason::kUnsupported,
                                                    FailureReason::kTimeout, FailureReason::kError};

/// The label value: "permission", "unsupported", "timeout" or "error".
std::string_view Name(FailureReason reason);

/// A failure that can be recovered from. `message` is one sentence for an operator: what failed, the kernel's
/// own words where it gave any, and what to do where that is known.
struct Error {
  FailureReason reason = FailureReason::kError;
  int errno_code = 0;  ///< errno, 0 where the failure has none
  std::string message;
};

/// An Error from `errno_code`, as "<operation>: <strerror>". EPERM and EACCES become kPermission; ENOENT,
/// EPROTONOSUPPORT, EAFNOSUPPORT, EOPNOTSUPP and ENOPROTOOPT become kUnsupported; ETIMEDOUT becomes kTimeout; the rest
/// kError.
Error ErrnoError(std::string_view operation, int errno_code);

template <typename T>
using Result = tl::expected<T, Error>;
using Failure = tl::unexpected<Error>;

inline Failure Fail(FailureReason reason, std::string message) { return Failure(Error{reason, 0, std::move(message)}); }
inline Failure FailErrno(std::string_view operation, int errno_code) {
  return Failure(ErrnoError(operation, errno_code));
}

/// Time that only moves forward and that no clock change touches (CLOCK_MONOTONIC).
using SteadyClock = std::chrono::steady_clock;

/// The moment by which an operation must have ended, success or not.
class Deadline {
 public:
  explicit Deadline(SteadyClock::time_point at) : at_(at) {}
  static Deadline After(SteadyClock::duration duration) { return Deadline(SteadyClock::now() + duration); }

  bool Passed() const { return SteadyClock::now() >= at_; }
  /// What is left, never negative.
  std::chrono::milliseconds Remaining() const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(at_ - SteadyClock::now());
    return left.count() > 0 ? left : std::chrono::milliseconds(0);
  }

 private:
  SteadyClock::time_point at_;
};

}  // namespace finwait
