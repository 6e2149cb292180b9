#pragma once

#include <cstdint>
#include <string>

namespace finwait::bench {

/// One GET of http://127.0.0.1:PORT`path` in the calling thread's network namespace, on a connection of its own.
/// `headers`: whole lines, each with its line end. Returns the response, head and body, or "" when nobody answers.
std::string HttpGet(std::uint16_t port, const std::string& path, const std::string& headers = "");

}  // namespace finwait::bench
