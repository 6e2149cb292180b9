#include "exporter/web_config/bcrypt.h"

#include <crypt.h>

#include <algorithm>
#include <memory>

#include <openssl/crypto.h>

namespace finwait::web_config {

namespace {

constexpr std::size_t kPrefixLength = 4;    // "$2b$"
constexpr std::size_t kSettingLength = 29;  // prefix, cost and salt; the last character of a salt has two bits to spare
constexpr std::size_t kHashLength = 60;
constexpr std::size_t kMostPasswordBytes = 72;
constexpr int kLeastCost = 4;
constexpr int kMostCost = 14;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsBcryptCharacter(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '/';
}

Failure Bad(const std::string& what) {
  return Fail(FailureReason::kError, what + "; make one with \"htpasswd -nBC 10 USER\"");
}

/// Room for crypt_r, cleared when it goes.
struct CryptData {
  CryptData() = default;
  CryptData(const CryptData&) = delete;
  CryptData& operator=(const CryptData&) = delete;
  ~CryptData() { OPENSSL_cleanse(&data, sizeof data); }
  crypt_data data{};
};

}  // namespace

Result<void> CheckBcryptHash(std::string_view hash) {
  // crypt_r must never see another prefix: it would take it for another, weaker kind of hash.
  const std::string_view prefix = hash.substr(0, kPrefixLength);
  if (prefix != "$2a$" && prefix != "$2b$" && prefix != "$2y$") {
    return Bad("it is not a bcrypt hash, which begins with $2a$, $2b$ or $2y$");
  }
  // What follows the hash is ignored, as Go does: a text that YAML ends with a newline.
  if (hash.size() < kHashLength || !IsDigit(hash[4]) || !IsDigit(hash[5]) || hash[6] != '$' ||
      !std::all_of(hash.begin() + 7, hash.begin() + kHashLength, IsBcryptCharacter)) {
    return Bad("it begins like a bcrypt hash, but goes on as none");
  }
  const int cost = (hash[4] - '0') * 10 + (hash[5] - '0');
  if (cost < kLeastCost || cost > kMostCost) {
    return Bad("its cost is " + std::to_string(cost) + " and must be from " + std::to_string(kLeastCost) + " to " +
               std::to_string(kMostCost));
  }
  return {};
}

bool MatchesBcrypt(std::string_view password, std::string_view hash) {
  // crypt_r would end the password at a NUL, and so take "right\0wrong" for "right".
  if (!CheckBcryptHash(hash) || password.find('\0') != std::string_view::npos) {
    return false;
  }
  // The prefixes differ in how old programs went wrong with bytes above 127; the right computation is that of $2b$.
  const std::string setting = "$2b$" + std::string(hash.substr(kPrefixLength, kHashLength - kPrefixLength));
  std::string key(password.substr(0, kMostPasswordBytes));
  const auto room = std::make_unique<CryptData>();
  const char* made = crypt_r(key.c_str(), setting.c_str(), &room->data);
  const bool matches =
      made != nullptr && std::string_view(made).size() == kHashLength &&
      CRYPTO_memcmp(made + kSettingLength, setting.data() + kSettingLength, kHashLength - kSettingLength) == 0;
  OPENSSL_cleanse(key.data(), key.size());
  return matches;
}

}  // namespace finwait::web_config
