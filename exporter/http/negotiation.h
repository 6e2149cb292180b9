#pragma once

#include <string_view>

#include "exporter/views/exposition.h"

namespace finwait::http {

/// The format that an Accept header prefers (RFC 9110 section 12.5.1), which is empty where there is none. OpenMetrics
/// is chosen only by name ("application/openmetrics-text", of version 1.0.0 or of none): with a higher q than the text
/// format, or with the same and named before it. Everything else gets the text format, also a client that accepts
/// neither: that is what Prometheus programs do.
views::ExpositionFormat NegotiateFormat(std::string_view accept);

/// Whether an Accept-Encoding header asks for gzip: by name or by "*", with a q above 0 and not below that of identity.
/// A missing (empty) header does not.
bool AcceptsGzip(std::string_view accept_encoding);

}  // namespace finwait::http
