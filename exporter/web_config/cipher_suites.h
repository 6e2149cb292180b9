#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace finwait::web_config {

/// The IANA names of the cipher suites that `cipher_suites` may name: Go's tls.CipherSuites(), those of older versions
/// of Go included.
std::span<const std::string_view> CipherSuites();

/// The curves that `curve_preferences` may name.
std::span<const std::string_view> Curves();

/// OpenSSL's list of those suites that TLS 1.2 and older can use, in the given order; "" when there is none. An empty
/// `names` stands for Go's default: forward secrecy only, authenticated encryption first.
std::string CipherList(const std::vector<std::string>& names);

/// OpenSSL's list of curves. An empty `names` stands for all, X25519 first.
std::string CurveList(const std::vector<std::string>& names);

}  // namespace finwait::web_config
