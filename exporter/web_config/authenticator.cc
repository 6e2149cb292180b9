#include "exporter/web_config/authenticator.h"

#include <iterator>

#include "exporter/web_config/bcrypt.h"

namespace finwait::web_config {

std::variant<bool, Authenticator::PasswordCheck> Authenticator::Check(const Users& users,
                                                                      const BasicCredentials& credentials) const {
  auto user = users.find(credentials.user);
  const bool exists = user != users.end();
  if (!exists) {
    // Always the same one for a name, as a user's hash is, whose cost may differ from that of others.
    const CredentialCache::Key lot = cache_->KeyOf(credentials.user, "", "");
    user = std::next(users.begin(), static_cast<std::ptrdiff_t>((lot[0] * 256U + lot[1]) % users.size()));
  }
  const std::string& hash = user->second;
  // Not under the borrowed hash: it may become this name's own.
  const CredentialCache::Key key = cache_->KeyOf(credentials.user, exists ? hash : "", credentials.password);
  if (const auto known = cache_->Find(key)) {
    return *known && exists;
  }
  return [cache = cache_, key, hash, exists, password = credentials.password] {
    if (const auto known = cache->Find(key)) {  // by the same credentials, while this waited
      return *known && exists;
    }
    const bool right = MatchesBcrypt(password, hash) && exists;
    cache->Remember(key, right);
    return right;
  };
}

}  // namespace finwait::web_config
