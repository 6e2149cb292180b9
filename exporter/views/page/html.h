#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// How the page writes text: every piece of it passes through here on its way into HTML.
namespace finwait::views::page::html {

/// `text` for an element's content or a quoted attribute. What is not UTF-8, control characters, and characters that
/// turn the direction of text around (which can make a name look like another) become U+FFFD.
std::string Escape(std::string_view text);

/// The same, with `what stands between two backticks` set as code.
std::string Prose(std::string_view text);

/// A command for a shell in a box, behind it a button that the page's script makes copy it.
std::string Command(std::string_view command);

/// A count with its thousands apart: 12345 is "12 345", with narrow spaces that do not break.
std::string Number(std::uint64_t number);

/// A share of 1 in percent, as a length: 0.255 is "25.5%". Clamped to 0 to 100.
std::string Percent(double share);

/// A duration in seconds, in the largest unit that says it well: "6 s", "5 min", "2 h", "5 d". The space does not
/// break. Negative ones count as 0.
std::string Duration(double seconds);

/// "1 socket", "12 sockets".
std::string Count(std::uint64_t number, std::string_view one, std::string_view many);

}  // namespace finwait::views::page::html
