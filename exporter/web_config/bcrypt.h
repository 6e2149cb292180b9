#pragma once

#include <string>
#include <string_view>

#include "collectors/base/result.h"

namespace finwait::web_config {

/// Says what is wrong with a bcrypt hash: it must be "$2a$", "$2b$" or "$2y$", a cost from 4 to 14, a salt and a
/// digest. The cost is bounded because anyone who can connect can have a password checked: 14 takes about a second.
Result<void> CheckBcryptHash(std::string_view hash);

/// Whether `password` is the one that `hash` was made of. False for a hash that CheckBcryptHash refuses. As every
/// bcrypt does, it looks at the first 72 bytes of a password.
bool MatchesBcrypt(std::string_view password, std::string_view hash);

}  // namespace finwait::web_config
