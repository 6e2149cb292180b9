#include "exporter/http/listen_address.h"

#include <gtest/gtest.h>

#include <utility>

namespace finwait::http {
namespace {

TEST(ListenAddress, ReadsTheThreeFormsAndWritesThemBack) {
  const std::pair<const char*, ListenAddress> kCases[] = {{":10061", {"", 10061}},
                                                          {":0", {"", 0}},
                                                          {"127.0.0.1:80", {"127.0.0.1", 80}},
                                                          {"localhost:1", {"localhost", 1}},
                                                          {"[::1]:65535", {"::1", 65535}},
                                                          {"[fe80::1%eth0]:9", {"fe80::1%eth0", 9}}};
  for (const auto& [text, address] : kCases) {
    ASSERT_TRUE(ParseListenAddress(text)) << text;
    EXPECT_EQ(*ParseListenAddress(text), address) << text;
    EXPECT_EQ(ToString(address), text);
  }
}

TEST(ListenAddress, TakesBracketsAroundAnIpv4Address) {
  EXPECT_EQ(ParseListenAddress("[192.0.2.1]:80"), (ListenAddress{"192.0.2.1", 80}));
}

TEST(ListenAddress, RefusesEverythingElse) {
  for (const char* text : {"", ":", "80", "host", "host:", ":x", ":-1", ":65536", ":99999999999", "::1:80", "[::1]",
                           "[::1]80", "[::g]:80", "[host]:80", "a b:80", "a/b:80", "[]:80", ":80 ", "host:+80"}) {
    EXPECT_FALSE(ParseListenAddress(text)) << text;
  }
}

}  // namespace
}  // namespace finwait::http
