#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>

#include "exporter/web_config/basic_credentials.h"
#include "exporter/web_config/credential_cache.h"

namespace finwait::web_config {

/// Tells whether credentials are those of a user. Thread-safe.
class Authenticator {
 public:
  /// Users' names and the bcrypt hashes of their passwords.
  using Users = std::map<std::string, std::string>;
  /// Work of up to a second that gives the verdict. Holds a copy of the credentials; outlives this object.
  using PasswordCheck = std::function<bool()>;

  /// The verdict if it is known already, else how to come to it. `users` is not empty. For a name that no user has, the
  /// same work is done with the hash of one of the users, so that its time does not tell names from no names.
  std::variant<bool, PasswordCheck> Check(const Users& users, const BasicCredentials& credentials) const;

 private:
  std::shared_ptr<CredentialCache> cache_ = std::make_shared<CredentialCache>();
};

}  // namespace finwait::web_config
