#pragma once

#include <string>

namespace finwait::views::page {

/// The page's whole style sheet, and the script that keeps the page up to date. Both are inline: nothing else is
/// loaded.
extern const char* const kPageStyle;
extern const char* const kPageScript;

/// Content-Security-Policy: that very style sheet and that very script by their SHA-256, fetches from the page's own
/// origin, and nothing else.
std::string PageSecurityPolicy();

}  // namespace finwait::views::page
