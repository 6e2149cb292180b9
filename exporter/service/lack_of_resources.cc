#include "exporter/service/lack_of_resources.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <new>
#include <system_error>

namespace finwait::service {
namespace {

void Say(const char* text) noexcept {
  // Nobody is left who could be told that it was not written.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
}

bool IsLack(const std::exception& error) noexcept {
  if (const auto* system = dynamic_cast<const std::system_error*>(&error)) {
    return system->code() == std::errc::resource_unavailable_try_again ||
           system->code() == std::errc::not_enough_memory;
  }
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
}

[[noreturn]] void EndUnhandled() noexcept {
  if (const std::exception_ptr unhandled = std::current_exception()) {
    try {
      std::rethrow_exception(unhandled);
    } catch (const std::exception& error) {
      if (IsLack(error)) {
        DescribeEnd(error);
        std::_Exit(2);
      }
      Say("finwait_exporter: a mistake of this program's; please report it: ");
      Say(error.what());
      Say("\n");
    } catch (...) {  // nothing here throws what is no std::exception; it aborts below as all mistakes do
    }
  }
  std::abort();
}

}  // namespace

void DescribeEnd(const std::exception& error) noexcept {
  const auto* system = dynamic_cast<const std::system_error*>(&error);
  Say("finwait_exporter: cannot go on: ");
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    Say("there is no memory left");
  } else if (system != nullptr && system->code() == std::errc::resource_unavailable_try_again) {
    Say("there is no thread to be had");
  } else {
    Say(error.what());
  }
  Say(". It takes some 20 threads and 64 MiB; see the limits of its service (TasksMax, MemoryMax, ulimit -a).\n");
}

void EndWhereResourcesLack() { std::set_terminate(EndUnhandled); }

}  // namespace finwait::service
