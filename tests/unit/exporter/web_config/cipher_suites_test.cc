#include "exporter/web_config/cipher_suites.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <string>

namespace finwait::web_config {
namespace {

TEST(CipherSuites, EverySuiteThatMayBeNamedIsOneOfOpenSsl) {
  for (const std::string_view name : CipherSuites()) {
    EXPECT_STRNE(OPENSSL_cipher_name(std::string(name).c_str()), "(NONE)") << name;
  }
}

TEST(CipherSuites, TheDefaultHasForwardSecrecyOnly) {
  const std::string list = CipherList({});
  EXPECT_NE(list, "");
  EXPECT_TRUE(list.starts_with("ECDHE-ECDSA-AES128-GCM-SHA256:")) << list;
  for (std::size_t at = 0; at != std::string::npos; at = list.find(':', at + 1)) {
    EXPECT_TRUE(list.substr(at + (at > 0)).starts_with("ECDHE-")) << list.substr(at);
  }
}

TEST(CipherSuites, ThoseNamedKeepTheirOrderAndThoseOfTls13AreNotAmongThem) {
  EXPECT_EQ(CipherList({"TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_AES_128_GCM_SHA256",
                        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"}),
            "AES128-SHA:ECDHE-RSA-CHACHA20-POLY1305");
  EXPECT_EQ(CipherList({"TLS_AES_128_GCM_SHA256"}), "");
}

TEST(CipherSuites, CurvesAreThoseOfOpenSsl) {
  EXPECT_EQ(CurveList({}), "X25519:P-256:P-384:P-521");
  EXPECT_EQ(CurveList({"CurveP521", "X25519"}), "P-521:X25519");
}

}  // namespace
}  // namespace finwait::web_config
