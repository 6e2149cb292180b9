// The program behind a web configuration, as curl, openssl and Prometheus meet it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "collectors/base/result.h"
#include "tests/e2e/protected_program.h"
#include "tests/lab/connection.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

class WebConfigTest : public testing::Test {
 protected:
  static std::string Users(const std::string& hash = ProtectedProgram::HashOfSecret()) {
    return "basic_auth_users:\n  alice: " + hash + "\n";
  }
  /// kTls with further lines.
  static std::string Tls(const std::string& lines) { return ProtectedProgram::kTls + lines; }

  ProtectedProgram program_;
};

TEST_F(WebConfigTest, TlsIsServedAndPlainHttpIsToldSo) {
  program_.Start(Tls(""));
  const auto secure = program_.Get("/metrics");
  EXPECT_EQ(secure.status, 200) << secure.errors;
  EXPECT_THAT(secure.text, HasSubstr("finwait_exporter_build_info"));
  const auto plain = program_.Get("/metrics", {}, "http");
  EXPECT_EQ(plain.status, 400);
  EXPECT_THAT(plain.text, HasSubstr("Client sent an HTTP request to an HTTPS server."));
}

TEST_F(WebConfigTest, OfTheProtocolsOfferedHttp11IsChosen) {
  program_.Start(Tls(""));
  EXPECT_EQ(program_.Get("/healthz", {"--http2"}).status, 200) << "curl offers both";
  EXPECT_THAT(program_.Handshake({"-alpn", "h2"}), HasSubstr("no application protocol"));
}

TEST_F(WebConfigTest, VersionsAreFrom12UnlessSaidOtherwise) {
  program_.Start(Tls(""));
  EXPECT_THAT(program_.Handshake({"-tls1_3"}), HasSubstr("Protocol version: TLSv1.3"));
  EXPECT_THAT(program_.Handshake({"-tls1_2"}), HasSubstr("Protocol version: TLSv1.2"));
  const std::vector<std::string> old = {"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"};
  EXPECT_THAT(program_.Handshake(old), HasSubstr("alert protocol version"));
  program_.Replace("web.yml", Tls("  min_version: TLS11\n  max_version: TLS11\n"));
  EXPECT_THAT(program_.Handshake(old), HasSubstr("Protocol version: TLSv1.1"));
  EXPECT_THAT(program_.Handshake({"-tls1_3"}), HasSubstr("alert protocol version"));
  program_.Replace("web.yml", Tls("  min_version: TLS13\n"));
  EXPECT_THAT(program_.Handshake({"-tls1_2"}), HasSubstr("alert protocol version"));
}

TEST_F(WebConfigTest, SuitesAndCurvesAreThoseNamedInTheOrderOfWhomeverIsPreferred) {
  const std::string suites =
      "  max_version: TLS12\n"
      "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n";
  const std::vector<std::string> client_order = {
      "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"};
  program_.Start(Tls(suites));
  EXPECT_THAT(program_.Handshake(client_order), HasSubstr("Ciphersuite: ECDHE-ECDSA-AES256-GCM-SHA384"));
  EXPECT_THAT(program_.Handshake({"-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"}), HasSubstr("alert handshake failure"));
  program_.Replace("web.yml", Tls(suites + "  prefer_server_cipher_suites: false\n"));
  EXPECT_THAT(program_.Handshake(client_order), HasSubstr("Ciphersuite: ECDHE-ECDSA-AES128-GCM-SHA256"));
  program_.Replace("web.yml", Tls("  curve_preferences: [CurveP384]\n"));
  EXPECT_THAT(program_.Handshake({}), HasSubstr("secp384r1"));
  EXPECT_THAT(program_.Handshake({"-curves", "X25519"}), HasSubstr("alert handshake failure"));
  program_.Replace("web.yml", Tls("  cipher_suites: [TLS_AES_128_GCM_SHA256]\n"));
  EXPECT_THAT(program_.Handshake({"-tls1_2"}), HasSubstr("alert protocol version")) << "no suite of 1.2 is named";
  EXPECT_EQ(program_.Get("/healthz").status, 200);
}

TEST_F(WebConfigTest, ClientCertificatesAreDemandedAsGoDoes) {
  constexpr int kLetIn = 200;
  constexpr int kRefused = 0;
  const struct {
    const char* type;
    int without, stranger, client, expired;
  } cases[] = {
      {"NoClientCert", kLetIn, kLetIn, kLetIn, kLetIn},
      {"RequestClientCert", kLetIn, kLetIn, kLetIn, kLetIn},
      {"RequireAnyClientCert", kRefused, kLetIn, kLetIn, kLetIn},
      {"VerifyClientCertIfGiven", kLetIn, kRefused, kLetIn, kRefused},
      {"RequireAndVerifyClientCert", kRefused, kRefused, kLetIn, kRefused},
  };
  program_.Start(Tls(""));
  for (const auto& one : cases) {
    const std::string authority = one.type == std::string("NoClientCert") ? "" : "  client_ca_file: ca.crt\n";
    program_.Replace("web.yml", Tls(std::string("  client_auth_type: ") + one.type + "\n" + authority));
    EXPECT_EQ(program_.Get("/healthz").status, one.without) << one.type;
    EXPECT_EQ(program_.GetAs("stranger", "/healthz").status, one.stranger) << one.type;
    EXPECT_EQ(program_.GetAs("client", "/healthz").status, one.client) << one.type;
    EXPECT_EQ(program_.GetAs("expired", "/healthz").status, one.expired) << one.type;
  }
  program_.Replace("web.yml", Tls("  client_auth_type: RequireAndVerifyClientCert\n"));
  EXPECT_EQ(program_.GetAs("client", "/healthz").status, kRefused) << "this system does not trust our authority";
}

TEST_F(WebConfigTest, OnlyAllowedNamesAreLetIn) {
  const auto allow = [](const std::string& names, const std::string& type = "RequireAndVerifyClientCert") {
    return Tls("  client_auth_type: " + type + "\n  client_ca_file: ca.crt\n  client_allowed_sans: [" + names + "]\n");
  };
  program_.Start(allow("nobody.example"));
  EXPECT_EQ(program_.GetAs("client", "/healthz").status, 0);
  EXPECT_THAT(program_.GetAs("client", "/healthz").errors, HasSubstr("bad certificate"));
  for (const char* name : {"prometheus.example", "192.0.2.7", "\"2001:db8::7\"", "ops@example.org",
                           "spiffe://example.org/prometheus", "a.example, prometheus.example"}) {
    program_.Replace("web.yml", allow(name));
    EXPECT_EQ(program_.GetAs("client", "/healthz").status, 200) << name;
    EXPECT_EQ(program_.GetAs("stranger", "/healthz").status, 0) << name;
  }
  for (const char* name : {"", "example", "PROMETHEUS.example", "*.example", "client", "192.0.2.70"}) {
    program_.Replace("web.yml", allow(name));
    EXPECT_EQ(program_.GetAs("client", "/healthz").status, 0) << name;
  }
  program_.Replace("web.yml", allow("prometheus.example", "RequireAnyClientCert"));
  EXPECT_EQ(program_.GetAs("stranger", "/healthz").status, 200) << "who signed it was not asked";
}

TEST_F(WebConfigTest, APasswordIsDemandedOnEveryPath) {
  program_.Start(Users());
  for (const char* path : {"/metrics", "/healthz", "/-/ready", "/", "/api/v1/report", "/nonsense"}) {
    const auto without = program_.Get(path, {}, "http");
    EXPECT_EQ(without.status, 401) << path;
    EXPECT_THAT(without.text, HasSubstr("WWW-Authenticate: Basic")) << path;
    EXPECT_EQ(program_.Get(path, {"-u", "alice:wrong"}, "http").status, 401) << path;
    EXPECT_EQ(program_.Get(path, {"-u", "bob:secret"}, "http").status, 401) << path;
    EXPECT_EQ(program_.Get(path, {"-u", "alice:" + ProtectedProgram::HashOfSecret()}, "http").status, 401) << path;
  }
  EXPECT_EQ(program_.Get("/healthz", {"-u", "alice:secret"}, "http").status, 200);
  EXPECT_EQ(program_.Get("/nonsense", {"-u", "alice:secret"}, "http").status, 404);
  EXPECT_EQ(program_.Get("/metrics", {"-I"}, "http").status, 401);
  EXPECT_EQ(program_.Get("/metrics", {"-I", "-u", "alice:secret"}, "http").status, 200);
}

TEST_F(WebConfigTest, HeadersAreOnEveryAnswer) {
  program_.Start("http_server_config:\n  headers:\n    X-Frame-Options: deny\n    Content-Security-Policy: sandbox\n" +
                 Users());
  for (const char* path : {"/metrics", "/nonsense"}) {
    for (const char* user : {"alice:secret", "alice:wrong"}) {
      const auto reply = program_.Get(path, {"-u", user}, "http");
      EXPECT_THAT(reply.text, HasSubstr("X-Frame-Options: deny\r\n")) << path << " " << user;
      EXPECT_THAT(reply.text, HasSubstr("Content-Security-Policy: sandbox\r\n")) << path << " " << user;
    }
  }
  const auto page = program_.Get("/", {"-u", "alice:secret"}, "http");
  EXPECT_THAT(page.text, HasSubstr("X-Frame-Options: deny\r\n"));
  EXPECT_THAT(page.text, Not(HasSubstr("sandbox"))) << "the page has a stricter policy of its own";
}

TEST_F(WebConfigTest, WhatChangesTakesEffectWithoutARestart) {
  program_.Start(Tls("http_server_config:\n  headers: {X-XSS-Protection: one}\n") + Users());
  EXPECT_THAT(program_.Get("/healthz", {"-u", "alice:secret"}).text, HasSubstr("X-XSS-Protection: one"));

  program_.Replace("web.yml", Tls("http_server_config:\n  headers: {X-XSS-Protection: two}\n") + Users());
  EXPECT_THAT(program_.Get("/healthz", {"-u", "alice:secret"}).text, HasSubstr("X-XSS-Protection: two"));

  program_.Replace("web.yml", Tls("") + "basic_auth_users:\n  bob: " + ProtectedProgram::HashOfSecret() + "\n");
  EXPECT_EQ(program_.Get("/healthz", {"-u", "alice:secret"}).status, 401);
  EXPECT_EQ(program_.Get("/healthz", {"-u", "bob:secret"}).status, 200);

  // A new certificate and key: between the two files nobody gets in, as with exporter-toolkit; then everybody does.
  const auto renewed =
      lab::MakeCertificate({.name = "renewed", .alternative_names = "IP:127.0.0.1", .issuer = &program_.Authority()});
  program_.Replace("server.crt", renewed.pem);
  EXPECT_THAT(program_.Handshake({}), HasSubstr("alert internal error"));
  program_.Replace("server.key", renewed.key_pem);
  EXPECT_THAT(program_.Handshake({}), testing::ContainsRegex("CN ?= ?renewed"));
  EXPECT_EQ(program_.Get("/healthz", {"-u", "bob:secret"}).status, 200);
  EXPECT_THAT(program_.Log(), HasSubstr("is not that of the certificate"));
}

TEST_F(WebConfigTest, ABrokenFileAfterTheStartIsAnErrorToClientsAndTheLog) {
  program_.Start(Users());
  EXPECT_EQ(program_.Get("/healthz", {"-u", "alice:secret"}, "http").status, 200);
  for (const char* broken :
       {"basic_auth_users: [\n", "nonsense: 1\n", "http_server_config: {headers: {Server: a}}\n"}) {
    program_.Replace("web.yml", broken);
    for (int i = 0; i < 3; ++i) {
      const auto reply = program_.Get("/healthz", {"-u", "alice:secret"}, "http");
      EXPECT_EQ(reply.status, 500) << broken;
      EXPECT_THAT(reply.text, Not(HasSubstr("web.yml"))) << "clients need not know";
    }
  }
  std::size_t said = 0;
  const std::string log = program_.Log();
  for (std::size_t at = log.find("cannot be used"); at != std::string::npos; at = log.find("cannot be used", at + 1)) {
    ++said;
  }
  EXPECT_EQ(said, 3U) << "once for each change, not for each request\n" << log;
  program_.Replace("web.yml", Users());
  EXPECT_EQ(program_.Get("/healthz", {"-u", "alice:secret"}, "http").status, 200);
}

TEST_F(WebConfigTest, RequestsBeyondTheRateAre429) {
  program_.Start("rate_limit:\n  interval: 1h\n  burst: 5\n");
  int let_in = 0;
  for (int i = 0; i < 8; ++i) {
    const auto reply = program_.Get("/metrics", {}, "http");
    EXPECT_TRUE(reply.status == 200 || reply.status == 429) << reply.text;
    let_in += reply.status == 200 ? 1 : 0;
  }
  EXPECT_LE(let_in, 5);
  EXPECT_GE(let_in, 3);
}

TEST_F(WebConfigTest, AFileThatCannotBeIsRefusedAtTheStartInOneSentence) {
  const struct {
    const char* content;
    const char* says;
  } cases[] = {
      {"tls_server_config: [\n", "web.yml line 2: this is not YAML"},
      {"tls_config: {}\n", "\\\"tls_config\\\" is not a key here"},
      {"tls_server_config:\n  cert_file: nowhere.crt\n  key_file: server.key\n", "nowhere.crt: No such file"},
      {"tls_server_config:\n  cert_file: server.crt\n  key_file: client.key\n", "is not that of the certificate"},
      {"basic_auth_users: {alice: secret}\n", "it is not a bcrypt hash"},
  };
  for (const auto& one : cases) {
    const auto output = program_.Where().Command(
        {lab::Program(), "--web.config.file=" + program_.Folder().Write("web.yml", one.content)});
    EXPECT_EQ(output.exit_code, 2) << one.content;
    EXPECT_THAT(output.err, HasSubstr(one.says));
    EXPECT_EQ(std::count(output.err.begin(), output.err.end(), '\n'), 1) << output.err;
  }
  const auto missing = program_.Where().Command({lab::Program(), "--web.config.file=/nowhere/web.yml"});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_THAT(missing.err, HasSubstr("/nowhere/web.yml: No such file or directory"));
}

TEST_F(WebConfigTest, AFloodOfWrongPasswordsHoldsUpNobodyWhoIsKnown) {
  // Cost 12: a quarter of a second for each guess at best, and every guess is another one.
  program_.Start(
      "basic_auth_users:\n  mallory: $2y$12$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n  alice: " +
      ProtectedProgram::HashOfSecret() + "\n");
  ASSERT_EQ(program_.Get("/healthz", {"-u", "alice:secret"}, "http").status, 200);
  std::atomic<bool> over = false;
  std::atomic<int> guesses = 0;
  std::vector<std::thread> flood;
  for (int i = 0; i < 4; ++i) {
    flood.emplace_back([&, i] {
      for (int n = 0; !over; ++n) {
        const auto reply = program_.Get(
            "/metrics",
            {"-u", "mallory:" + std::to_string(n * 4 + i), "--interface", "127.0.0." + std::to_string(2 + i)}, "http");
        EXPECT_TRUE(reply.status == 401 || reply.status == 503) << reply.text << reply.errors;
        ++guesses;
      }
    });
  }
  while (guesses < 4) {
    std::this_thread::yield();
  }
  for (int i = 0; i < 5; ++i) {
    const auto start = SteadyClock::now();
    EXPECT_EQ(program_.Get("/healthz", {"-u", "alice:secret"}, "http").status, 200);
    EXPECT_EQ(program_.Get("/healthz", {}, "http").status, 401) << "who says nothing is answered as fast";
    EXPECT_LT(SteadyClock::now() - start, 2s);
  }
  over = true;
  for (std::thread& thread : flood) {
    thread.join();
  }
}

/// A real Prometheus in the program's namespace.
class Prometheus {
 public:
  Prometheus(const ProtectedProgram& program, const std::string& scrape) : program_(program) {
    program.Folder().Write("prometheus.yml", "global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: finwait\n" +
                                                 scrape + "  static_configs: [{targets: ['127.0.0.1:10061']}]\n");
    pid_ = program.Where().Spawn(
        {"prometheus", "--config.file=" + program.Folder().PathOf("prometheus.yml"),
         "--storage.tsdb.path=" + program.Folder().PathOf("tsdb"), "--web.listen-address=127.0.0.1:9090"},
        program.Folder().PathOf("prometheus.log"));
  }
  ~Prometheus() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Prometheus(const Prometheus&) = delete;
  Prometheus& operator=(const Prometheus&) = delete;

  /// The API's answer on its targets.
  std::string Targets() const {
    return program_.Where().Command({"curl", "-s", "http://127.0.0.1:9090/api/v1/targets"}).out;
  }
  std::string Query(const std::string& query) const {
    return program_.Where()
        .Command({"curl", "-sG", "http://127.0.0.1:9090/api/v1/query", "--data-urlencode", "query=" + query})
        .out;
  }

 private:
  const ProtectedProgram& program_;
  pid_t pid_ = -1;
};

TEST_F(WebConfigTest, ARealPrometheusScrapesThroughTlsClientCertificateAndPassword) {
  program_.Start(Tls("  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n"
                     "  client_allowed_sans: [prometheus.example]\n") +
                 Users());
  const std::string tls =
      "  scheme: https\n  tls_config: {ca_file: ca.crt, cert_file: client.crt, key_file: client.key}\n";
  {
    const Prometheus prometheus(program_, tls + "  basic_auth: {username: alice, password: secret}\n");
    EXPECT_TRUE(lab::Eventually(
        [&] { return prometheus.Query("up{job=\"finwait\"} == 1").find("\"value\"") != std::string::npos; }, 30))
        << prometheus.Targets();
    EXPECT_THAT(prometheus.Query("finwait_exporter_build_info"), HasSubstr("\"value\""));
  }
  const Prometheus wrong(program_, tls + "  basic_auth: {username: alice, password: wrong}\n");
  EXPECT_TRUE(lab::Eventually([&] { return wrong.Targets().find("401 Unauthorized") != std::string::npos; }, 30))
      << wrong.Targets();
}

}  // namespace
}  // namespace finwait::e2e
