#pragma once

#include <string_view>

namespace finwait::http {

/// A media type that a handler can answer with.
struct MediaType {
  std::string_view name;     ///< "type/subtype"
  std::string_view version;  ///< of its "version" parameter; a range without that parameter names every version
};

/// Whether an Accept header (RFC 9110 section 12.5.1), which is empty where there is none, prefers `special` to
/// `usual`: `special` has to be named itself, with a higher q than `usual`, or with the same and before `usual` is
/// named. A client that accepts neither gets `usual`: that is what Prometheus programs do.
bool Prefers(std::string_view accept, const MediaType& special, const MediaType& usual);

/// Whether an Accept-Encoding header asks for gzip: by name or by "*", with a q above 0 and not below that of identity.
/// A missing (empty) header does not.
bool AcceptsGzip(std::string_view accept_encoding);

}  // namespace finwait::http
