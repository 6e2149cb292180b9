#include "exporter/pairs/key.h"

#include <cerrno>
#include <fstream>
#include <string_view>

#include "collectors/base/text.h"

namespace finwait::pairs {

Result<Key> Key::Read(const std::filesystem::path& file) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    return FailErrno("cannot open the key file " + Quoted(file.string()), errno != 0 ? errno : EIO);
  }
  std::string text(kMostBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (in.fail() && !in.eof())) {
    return FailErrno("cannot read the key file " + Quoted(file.string()), errno != 0 ? errno : EIO);
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  constexpr std::string_view kBlanksAndLineEnds = " \t\r\n";
  const std::string secret(Trim(text, kBlanksAndLineEnds));
  if (secret.size() < kLeastBytes || text.size() > kMostBytes) {
    return Fail(FailureReason::kError, "the key file " + Quoted(file.string()) + " holds " +
                                           (text.size() > kMostBytes ? "more than " + std::to_string(kMostBytes)
                                                                     : std::to_string(secret.size())) +
                                           " bytes: make a key with \"openssl rand -hex 32\".");
  }
  return Key(secret);
}

}  // namespace finwait::pairs
