#include "exporter/web_config/basic_credentials.h"

#include <gtest/gtest.h>

namespace finwait::web_config {
namespace {

std::string ParsedCredentials(std::string_view authorization) {
  const auto credentials = ParseBasicCredentials(authorization);
  return credentials ? credentials->user + " / " + credentials->password : "none";
}

TEST(BasicCredentials, UserAndPasswordAreSplitAtTheFirstColon) {
  EXPECT_EQ(ParsedCredentials("Basic YWxpY2U6c2VjcmV0"), "alice / secret");
  EXPECT_EQ(ParsedCredentials("Basic YTpiOmM="), "a / b:c");
  EXPECT_EQ(ParsedCredentials("Basic Og=="), " / ");
  EXPECT_EQ(ParsedCredentials("Basic w6k6w6k="), "\xC3\xA9 / \xC3\xA9");
}

TEST(BasicCredentials, TheSchemeHasNoCase) {
  EXPECT_EQ(ParsedCredentials("basic YWxpY2U6c2VjcmV0"), "alice / secret");
  EXPECT_EQ(ParsedCredentials("BASIC YWxpY2U6c2VjcmV0"), "alice / secret");
}

TEST(BasicCredentials, EverythingElseIsNone) {
  for (const char* text : {"", "Basic", "Basic ", "Bearer YWxpY2U6c2VjcmV0", "BasicYWxpY2U6c2VjcmV0", "Basic YWxpY2U",
                           "Basic YWxpY2U6c2VjcmV0=", "Basic  YWxpY2U6c2VjcmV0", "Basic YWxp Y2U6",
                           "Basic ====", "Basic =", "Basic YW=pY2U6", "Basic YWxpY2U=", "Basic YWxpY2U6c2VjcmV0 ",
                           "Basic YWxpY2U6c2Vjcm\xC3", "Basic YTpi-_=="}) {
    EXPECT_EQ(ParsedCredentials(text), "none") << text;
  }
}

TEST(BasicCredentials, ANulIsPartOfThePassword) {
  const auto credentials = ParseBasicCredentials("Basic YTpiAGM=");
  ASSERT_TRUE(credentials);
  EXPECT_EQ(credentials->password, std::string("b\0c", 3));
}

}  // namespace
}  // namespace finwait::web_config
