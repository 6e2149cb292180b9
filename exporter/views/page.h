#pragma once

#include <string>

#include "exporter/diagnosis/diagnosis.h"
#include "exporter/views/json.h"

namespace finwait {

/// The Content-Security-Policy that the page is made for: nothing but its own inline style.
inline constexpr const char* kPageSecurityPolicy =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The diagnosis as an HTML page for a person: what `/` serves. `telemetry_path` is where the metrics are.
std::string ReportPage(const Diagnosis& diagnosis, Details details, const std::string& telemetry_path);

}  // namespace finwait
