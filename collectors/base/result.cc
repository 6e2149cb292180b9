#include "collectors/base/result.h"

#include <cerrno>
#include <cstring>

namespace finwait {

std::string_view Name(FailureReason reason) {
  switch (reason) {
    case FailureReason::kPermission:
      return "permission";
    case FailureReason::kUnsupported:
      return "unsupported";
    case FailureReason::kTimeout:
      return "timeout";
    case FailureReason::kError:
      return "error";
  }
  return "error";
}

namespace {

FailureReason ReasonOf(int errno_code) {
  switch (errno_code) {
    case EPERM:
    case EACCES:
      return FailureReason::kPermission;
    case ENOENT:
    case EPROTONOSUPPORT:
    case EAFNOSUPPORT:
    case EOPNOTSUPP:
    case ENOPROTOOPT:
      return FailureReason::kUnsupported;
    case ETIMEDOUT:
      return FailureReason::kTimeout;
    default:
      return FailureReason::kError;
  }
}

}  // namespace

Error ErrnoError(std::string_view operation, int errno_code) {
  std::string message(operation);
  message += ": ";
  char buffer[128] = {};
  message += strerror_r(errno_code, buffer, sizeof buffer);  // the GNU form, which returns the text
  return Error{ReasonOf(errno_code), errno_code, std::move(message)};
}

}  // namespace finwait
