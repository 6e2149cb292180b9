#include <algorithm>
#include <string>
#include <string_view>

#include "exporter/web_config/basic_credentials.h"
#include "exporter/web_config/bcrypt.h"
#include "exporter/web_config/cipher_suites.h"
#include "exporter/web_config/parser.h"
#include "tests/fuzz/target.h"

namespace finwait::fuzz {

namespace {

bool IsOneLine(std::string_view text) {
  return !text.empty() &&
         std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

}  // namespace

void RunWebConfig(std::span<const std::byte> input) {
  const auto config = web_config::ParseWebConfig(TextOf(input), "/etc");
  if (!config) {
    Require(IsOneLine(config.error().message), "an error is one line");
    Require(config.error().message.size() < 2000, "an error is short");
    return;
  }
  for (const auto& [name, value] : config->headers) {
    Require(IsOneLine(name) && (value.empty() || IsOneLine(value)), "a header is one line");
  }
  Require(config->rate_limit.interval.count() >= 0 && config->rate_limit.burst >= 0, "a rate limit is not negative");
  Require(config->tls.certificate_file.empty() || config->tls.certificate_file.is_absolute(),
          "paths are taken from the file's folder");
  const std::string suites = web_config::CipherList(config->tls.cipher_suites);
  Require(suites.find("NONE") == std::string::npos, "suites are those of OpenSSL");
  for (const auto& [user, hash] : config->users) {
    (void)web_config::CheckBcryptHash(hash);
  }
}

void RunBasicCredentials(std::span<const std::byte> input) {
  const auto credentials = web_config::ParseBasicCredentials(TextOf(input));
  if (credentials) {
    Require(credentials->user.find(':') == std::string::npos, "a user's name ends at the first colon");
    Require(credentials->user.size() + credentials->password.size() < input.size(), "nothing is made up");
  }
}

}  // namespace finwait::fuzz
