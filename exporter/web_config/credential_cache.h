#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>

namespace finwait::web_config {

/// Remembers which credentials were right and which wrong, so that bcrypt runs once for each. Thread-safe.
///
/// What is remembered is an HMAC, under a key that only this process has, of the user, the hash that the user has, and
/// the password, each with its length: who knows a hash, or can choose where one part ends and the next begins, still
/// has to know the password (CVE-2022-46146), no password stays in memory, and a new hash makes old verdicts void.
/// Right and wrong ones have room of their own, so that guesses cannot push out those who know.
class CredentialCache {
 public:
  static constexpr std::size_t kMostOfEach = 100;
  using Key = std::array<unsigned char, 32>;

  /// Throws std::runtime_error when the system has no random bytes.
  CredentialCache();

  Key KeyOf(std::string_view user, std::string_view hash, std::string_view password) const;
  /// Whether the credentials were right; nothing when that is not remembered.
  std::optional<bool> Find(const Key& key) const;
  void Remember(const Key& key, bool right);

 private:
  using Verdicts = std::map<Key, bool>;

  std::array<unsigned char, 32> secret_{};
  mutable std::mutex mutex_;
  Verdicts verdicts_;
  std::array<std::deque<Key>, 2> oldest_first_;  ///< of the wrong, of the right
};

}  // namespace finwait::web_config
