#pragma once

#include <string>
#include <string_view>

namespace finwait {

/// `text` between double quotes, fit for one line of an error message: at most 64 bytes of it are shown ("..." follows
/// where more was there), and a quote, a backslash or a byte that is not printable ASCII appears as \" \\ or \xNN.
std::string Quoted(std::string_view text);

}  // namespace finwait
