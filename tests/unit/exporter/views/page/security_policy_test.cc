#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exporter/views/page/assets.h"

namespace finwait::views::page {
namespace {

using testing::HasSubstr;
using testing::Not;

// What a browser makes of it, tests/e2e/browser shows.
TEST(SecurityPolicyTest, NamesTheStyleAndTheScriptByTheirContentAndAllowsNothingElse) {
  const std::string policy = PageSecurityPolicy();
  EXPECT_THAT(policy, HasSubstr("default-src 'none'; style-src 'sha256-"));
  EXPECT_THAT(policy, HasSubstr("; script-src 'sha256-"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
}

TEST(SecurityPolicyTest, NeitherStyleNorScriptEndsItsOwnElement) {
  EXPECT_THAT(std::string(kPageStyle), Not(HasSubstr("</")));
  EXPECT_THAT(std::string(kPageScript), Not(HasSubstr("</")));
}

}  // namespace
}  // namespace finwait::views::page
