// What a file means once it is taken. Which files are taken: tests/e2e/web_config_oracle_test.cc.

#include "exporter/web_config/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace finwait::web_config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

WebConfig Parsed(const std::string& text) {
  auto config = ParseWebConfig(text, "/etc/finwait");
  EXPECT_TRUE(config) << config.error().message;
  return config ? *config : WebConfig();
}

std::string Complaint(const std::string& text) {
  const auto config = ParseWebConfig(text, "/etc/finwait");
  return config ? "(taken)" : config.error().message;
}

TEST(WebConfigParser, AnEmptyFileAsksForNothing) {
  for (const char* text : {"", "# nothing\n", "---\n", "~\n", "tls_server_config:\n"}) {
    const WebConfig config = Parsed(text);
    EXPECT_FALSE(config.tls.IsEnabled()) << text;
    EXPECT_TRUE(config.users.empty()) << text;
    EXPECT_TRUE(config.headers.empty()) << text;
    EXPECT_EQ(config.rate_limit.interval, 0ns) << text;
  }
}

TEST(WebConfigParser, NoTextAtAllIsAnEmptyFile) { EXPECT_TRUE(ParseWebConfig({}, "/etc/finwait")); }

TEST(WebConfigParser, EveryKeyReachesItsPlace) {
  const WebConfig config = Parsed(R"(
tls_server_config:
  cert: CERT
  key: KEY
  client_ca: CA
  cert_file: server.crt
  key_file: /keys/server.key
  client_auth_type: VerifyClientCertIfGiven
  client_ca_file: ../ca.crt
  client_allowed_sans: [a.example, 192.0.2.1]
  min_version: TLS10
  max_version: TLS11
  cipher_suites: [TLS_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: off
  curve_preferences: [CurveP384, X25519]
http_server_config:
  http2: true
  headers: {X-Frame-Options: deny}
rate_limit:
  interval: 1m30s
  burst: 7
basic_auth_users:
  alice: hash
)");
  EXPECT_EQ(config.tls.certificate, "CERT");
  EXPECT_EQ(config.tls.key, "KEY");
  EXPECT_EQ(config.tls.client_ca, "CA");
  EXPECT_EQ(config.tls.certificate_file, "/etc/finwait/server.crt") << "beside the file";
  EXPECT_EQ(config.tls.key_file, "/keys/server.key");
  EXPECT_EQ(config.tls.client_ca_file, "/etc/finwait/../ca.crt");
  EXPECT_EQ(config.tls.client_authentication, ClientAuthentication::kVerifyClientCertIfGiven);
  EXPECT_THAT(*config.tls.client_allowed_sans, ElementsAre("a.example", "192.0.2.1"));
  EXPECT_EQ(config.tls.min_version, TlsVersion::kTls10);
  EXPECT_EQ(config.tls.max_version, TlsVersion::kTls11);
  EXPECT_THAT(config.tls.cipher_suites, ElementsAre("TLS_AES_128_GCM_SHA256"));
  EXPECT_FALSE(config.tls.prefer_server_cipher_suites);
  EXPECT_THAT(config.tls.curve_preferences, ElementsAre("CurveP384", "X25519"));
  EXPECT_THAT(config.headers, ElementsAre(Pair("X-Frame-Options", "deny")));
  EXPECT_EQ(config.rate_limit.interval, 90s);
  EXPECT_EQ(config.rate_limit.burst, 7);
  EXPECT_THAT(config.users, ElementsAre(Pair("alice", "hash")));
}

TEST(WebConfigParser, TlsIsFrom12To13UnlessSaidOtherwise) {
  for (const char* text :
       {"tls_server_config: {cert: a}", "tls_server_config: {cert: a, min_version: , max_version: }"}) {
    EXPECT_EQ(Parsed(text).tls.min_version, TlsVersion::kTls12);
    EXPECT_EQ(Parsed(text).tls.max_version, TlsVersion::kTls13);
  }
  EXPECT_TRUE(Parsed("tls_server_config: {cert: a}").tls.prefer_server_cipher_suites);
}

TEST(WebConfigParser, NoAllowedNamesAndAnEmptyListOfThemDiffer) {
  EXPECT_FALSE(Parsed("tls_server_config: {client_allowed_sans: }").tls.client_allowed_sans);
  EXPECT_TRUE(Parsed("tls_server_config: {client_allowed_sans: []}").tls.client_allowed_sans->empty());
}

TEST(WebConfigParser, ABareIntervalCountsNanoseconds) {
  EXPECT_EQ(Parsed("rate_limit: {interval: 1000}").rate_limit.interval, 1us);
}

TEST(WebConfigParser, TheLaterOfAMergedAndAWrittenValueCounts) {
  EXPECT_EQ(Parsed("tls_server_config:\n  <<: {key: a}\n  key: b\n").tls.key, "b");
  EXPECT_EQ(Parsed("tls_server_config:\n  key: b\n  <<: {key: a}\n").tls.key, "a");
  EXPECT_EQ(Parsed("tls_server_config:\n  <<: [{key: a}, {key: b}]\n").tls.key, "a") << "the first of a list";
}

TEST(WebConfigParser, MergesThatFeedOnThemselvesEnd) {
  EXPECT_THAT(Complaint("tls_server_config: &a {<<: *a}\n"), HasSubstr("too many"));
  std::string bomb = "http_server_config:\n  headers:\n    <<:\n    - &a0 {}\n";
  for (int i = 1; i < 20; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "    - &a" + std::to_string(i) + " {<<: [" + before + ", " + before + ", " + before + "]}\n";
  }
  EXPECT_THAT(Complaint(bomb), HasSubstr("too many"));
}

TEST(WebConfigParser, DeepNestingIsAnErrorAndNothingWorse) {
  for (const char* open : {"[", "{", "[{", "- ", "? ", "{a: ", "[[],"}) {
    std::string text;
    while (text.size() < 1'000'000) {
      text += open;
    }
    EXPECT_THAT(Complaint(text), HasSubstr("line 1: this is ")) << open;
  }
}

TEST(WebConfigParser, WhatWouldEndAHeaderBecomesABlank) {
  EXPECT_THAT(Parsed("http_server_config:\n  headers:\n    X-XSS-Protection: \"1\\r\\nSet-Cookie: a\\0\"\n").headers,
              ElementsAre(Pair("X-XSS-Protection", "1  Set-Cookie: a")));
  EXPECT_THAT(Parsed("http_server_config:\n  headers:\n    Content-Security-Policy: |\n      a;\n      b\n").headers,
              ElementsAre(Pair("Content-Security-Policy", "a; b")));
}

TEST(WebConfigParser, ErrorsStayOnOneLineWhateverTheFileHolds) {
  EXPECT_THAT(Complaint("\"a\\nb\": 1\n"), HasSubstr("\"a\\x0ab\" is not a key here"));
  EXPECT_THAT(Complaint(std::string(900, 'x') + ": 1\n"), HasSubstr("xxx\"... is not a key here"));
  EXPECT_LT(Complaint("http_server_config: {http2: " + std::string(5000, 'x') + "}").size(), 200U);
}

TEST(WebConfigParser, ErrorsNameTheLineAndWhatWouldBeRight) {
  EXPECT_EQ(Complaint("# a comment\n\nhttp_server_config:\n  http3: yes\n"),
            "line 4: \"http3\" is not a key here; the keys are headers, http2");
  EXPECT_EQ(Complaint("tls_server_config:\n  min_version: TLS14\n"),
            "line 2: min_version \"TLS14\" is not known; known are TLS10, TLS11, TLS12, TLS13");
  EXPECT_THAT(Complaint("a: [\n"), HasSubstr("line 2: this is not YAML"));
}

}  // namespace
}  // namespace finwait::web_config
