#include "exporter/service/lack_of_resources.h"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace finwait::service {
namespace {

// A thread of a service that has prepared for it ends by `exception`, which nobody handles.
template <typename Exception>
void EndAThreadBy(const Exception& exception) {
  EndWhereResourcesLack();
  std::thread([&exception] { throw exception; }).join();
}

TEST(LackOfResourcesTest, OfMemoryInAThreadIsASentenceAndTheExitCodeTwo) {
  EXPECT_EXIT(EndAThreadBy(std::bad_alloc()), testing::ExitedWithCode(2),
              "^finwait_exporter: cannot go on: there is no memory left. It takes .* ulimit -a\\).\n$");
}

TEST(LackOfResourcesTest, OfThreadsIsToo) {
  EXPECT_EXIT(EndAThreadBy(std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again))),
              testing::ExitedWithCode(2), "cannot go on: there is no thread to be had");
}

TEST(LackOfResourcesTest, AMistakeOfThisProgramsAbortsAndIsNamed) {
  EXPECT_EXIT(EndAThreadBy(std::logic_error("a row without a reader")), testing::KilledBySignal(SIGABRT),
              "please report it: a row without a reader");
}

TEST(LackOfResourcesTest, AnotherErrorAtTheStartIsNamedByItsOwnWords) {
  EXPECT_EXIT(
      {
        DescribeEnd(std::runtime_error("no such table"));
        std::_Exit(0);
      },
      testing::ExitedWithCode(0), "cannot go on: no such table");
}

}  // namespace
}  // namespace finwait::service
