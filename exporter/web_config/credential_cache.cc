#include "exporter/web_config/credential_cache.h"

#include <stdexcept>
#include <string>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

namespace finwait::web_config {

namespace {

void AppendWithLength(std::string& text, std::string_view part) {
  text += std::to_string(part.size()) + ":";
  text += part;
}

}  // namespace

CredentialCache::CredentialCache() {
  if (RAND_bytes(secret_.data(), static_cast<int>(secret_.size())) != 1) {
    throw std::runtime_error("no random bytes to be had");
  }
}

CredentialCache::Key CredentialCache::KeyOf(std::string_view user, std::string_view hash,
                                            std::string_view password) const {
  std::string text;
  text.reserve(user.size() + hash.size() + password.size() + 64);  // so that no copy of the password is left behind
  AppendWithLength(text, user);
  AppendWithLength(text, hash);
  AppendWithLength(text, password);
  Key key{};
  HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), key.data(), nullptr);
  OPENSSL_cleanse(text.data(), text.size());
  return key;
}

std::optional<bool> CredentialCache::Find(const Key& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = verdicts_.find(key);
  return found == verdicts_.end() ? std::nullopt : std::optional(found->second);
}

void CredentialCache::Remember(const Key& key, bool right) {
  const std::lock_guard lock(mutex_);
  if (!verdicts_.emplace(key, right).second) {
    return;
  }
  std::deque<Key>& all = oldest_first_[right ? 1 : 0];
  all.push_back(key);
  if (all.size() > kMostOfEach) {
    verdicts_.erase(all.front());
    all.pop_front();
  }
}

}  // namespace finwait::web_config
