#include "collectors/base/quote.h"

#include <cstddef>

namespace finwait {
namespace {

constexpr std::size_t kShown = 64;
constexpr char kHexDigits[] = "0123456789abcdef";

}  // namespace

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char letter : text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(letter);
    if (letter == '"' || letter == '\\') {
      quoted += '\\';
      quoted += letter;
    } else if (byte < 0x20 || byte > 0x7e) {
      quoted += "\\x";
      quoted += kHexDigits[byte >> 4];
      quoted += kHexDigits[byte & 0xf];
    } else {
      quoted += letter;
    }
  }
  quoted += text.size() > kShown ? "\"..." : "\"";
  return quoted;
}

}  // namespace finwait
