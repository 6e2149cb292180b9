#pragma once

#include <algorithm>
#include <cctype>
#include <string_view>

namespace finwait::firewall::print {

/// Whether a shell takes `text` for nothing but words, as do nft and iptables: it can stand in a command.
inline bool IsPlainWords(std::string_view text, std::string_view others = {}) {
  constexpr std::string_view kPlain = " _./:,=+@%-!^";
  return std::all_of(text.begin(), text.end(), [&](unsigned char letter) {
    return std::isalnum(letter) != 0 || kPlain.find(static_cast<char>(letter)) != std::string_view::npos ||
           others.find(static_cast<char>(letter)) != std::string_view::npos;
  });
}

/// The same within single quotes, where nft takes braces, comparisons and quoted names.
inline bool IsPlainInQuotes(std::string_view text) { return IsPlainWords(text, "{}<>&|\"*()"); }

}  // namespace finwait::firewall::print
