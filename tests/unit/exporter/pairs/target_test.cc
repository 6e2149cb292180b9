#include "exporter/pairs/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace finwait::pairs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Target TargetOf(std::string_view text) {
  const auto target = ParseTarget(text);
  EXPECT_TRUE(target) << text;
  return target.value_or(Target());
}

std::vector<std::string> NamesOf(std::string_view file) {
  const auto targets = ParseTargets(file);
  EXPECT_TRUE(targets) << targets.error().message;
  std::vector<std::string> names;
  for (const Target& target : targets.value_or(std::vector<Target>())) {
    names.push_back((target.tls ? "https " : "http ") + target.Name());
  }
  return names;
}

TEST(TargetTest, IsAHostAPortOrAUrl) {
  EXPECT_EQ(TargetOf("web-1").Name(), "web-1:10061");
  EXPECT_EQ(TargetOf("web-1:80").Name(), "web-1:80");
  EXPECT_EQ(TargetOf("http://192.0.2.1:80/").Name(), "192.0.2.1:80");
  EXPECT_EQ(TargetOf("[2001:db8::1]").Name(), "[2001:db8::1]:10061");
  EXPECT_EQ(TargetOf("[2001:db8::1]:80").host, "2001:db8::1");
  const Target whole = TargetOf("https://me:p%40ss%3A@web-1:443/exporters/one/");
  EXPECT_TRUE(whole.tls);
  EXPECT_EQ(whole.user, "me");
  EXPECT_EQ(whole.password, "p@ss:");
  EXPECT_EQ(whole.path, "/exporters/one");
  EXPECT_EQ(whole.Name(), "web-1:443/exporters/one") << "nothing of what is secret";
}

TEST(TargetTest, IsNothingElse) {
  for (const char* wrong : {"", ":80", "http://", "ftp://web-1", "web-1:0", "web-1:65536", "web 1", "web-1/a b",
                            "web-1/metrics?x=1", "http://:80", "a%zz@web-1:80", "@web-1", "web-1:80:80"}) {
    EXPECT_FALSE(ParseTarget(wrong)) << wrong;
  }
}

TEST(TargetTest, AFileIsWhatPrometheusReads) {
  EXPECT_THAT(NamesOf(R"([{"targets": ["a:1", "b:2"], "labels": {"job": "x"}}, {"targets": ["c"]}])"),
              ElementsAre("http a:1", "http b:2", "http c:10061"));
  EXPECT_THAT(NamesOf("- targets: [a:1]\n  labels:\n    __scheme__: https\n- targets:\n  - b:2\n"),
              ElementsAre("https a:1", "http b:2"));
  EXPECT_THAT(NamesOf("[]"), ElementsAre());
}

TEST(TargetTest, AnotherFileIsRefusedInASentence) {
  const auto complaint = [](std::string_view text) {
    const auto targets = ParseTargets(text);
    return targets ? "" : targets.error().message;
  };
  EXPECT_THAT(complaint(""), HasSubstr("a list of groups"));
  EXPECT_THAT(complaint("targets: [a]"), HasSubstr("a list of groups"));
  EXPECT_THAT(complaint("- targets: ['a b']"), HasSubstr("line 1: the target \"a b\" should be an exporter as"));
  EXPECT_THAT(complaint("- target: [a]"), HasSubstr("line 1"));
  EXPECT_THAT(complaint("["), HasSubstr("line"));
}

}  // namespace
}  // namespace finwait::pairs
