#include "exporter/http/negotiation.h"

#include <gtest/gtest.h>

namespace finwait::http {
namespace {

enum class Preferred { kText, kOpenMetrics };
constexpr Preferred kText = Preferred::kText;
constexpr Preferred kOpenMetrics = Preferred::kOpenMetrics;

/// As the exporter offers its metrics.
Preferred NegotiateFormat(std::string_view accept) {
  constexpr MediaType kSpecial{"application/openmetrics-text", "1.0.0"};
  return Prefers(accept, kSpecial, {"text/plain", "0.0.4"}) ? kOpenMetrics : kText;
}

TEST(NegotiateFormat, GivesWhatTheClientPrefers) {
  const struct {
    Preferred format;
    std::string_view accept;
  } kCases[] = {
      // What Prometheus sends: 2.5 to 2.40, 2.41 to 2.54, 3.x, and the protobuf form.
      {kText, "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"},
      {kOpenMetrics,
       "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
       "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"},
      {kOpenMetrics,
       "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;"
       "version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/"
       "*;q=0.1"},
      {kOpenMetrics,
       "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
       "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
       "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"},
      // Browsers and tools.
      {kText, ""},
      {kText, "*/*"},
      {kText, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
      {kText, "image/png"},
      // Quality and order.
      {kOpenMetrics, "application/openmetrics-text"},
      {kOpenMetrics, "APPLICATION/OpenMetrics-Text ; Version=\"1.0.0\" ; charset=utf-8"},
      {kOpenMetrics, "application/openmetrics-text, text/plain"},
      {kText, "text/plain, application/openmetrics-text"},
      {kOpenMetrics, "*/*, application/openmetrics-text"},
      {kText, "application/openmetrics-text;q=0.5, text/plain;q=0.6"},
      {kOpenMetrics, "application/openmetrics-text;q=0.6, text/plain;q=0.5"},
      {kText, "application/openmetrics-text;q=0.5, text/plain"},
      {kText, "application/openmetrics-text;q=0, text/plain;q=0.1"},
      {kText, "application/openmetrics-text;q=0"},
      {kText, "application/openmetrics-text;q=0.0, */*"},
      {kOpenMetrics, "application/openmetrics-text;q=0.001, text/plain;q=0"},
      {kText, "application/openmetrics-text;q=0.4, text/*;q=0.5"},
      {kOpenMetrics, "application/openmetrics-text;q=0.4, text/plain;q=0.3, text/*;q=0.5"},
      {kText, "application/*"},
      {kText, "application/openmetrics-text;version=2.0.0"},
      // Malformed.
      {kText, "application/openmetrics-text;q=high"},
      {kText, "application/openmetrics-text;q=1.5"},
      {kText, "application/openmetrics-text;q=-1"},
      {kText, "application/openmetrics-text;q="},
      {kText, "application/openmetrics-text;q=0.0001"},
      {kText, ",;,=;q=1,,"},
      {kOpenMetrics, ",, application/openmetrics-text;q=1.000;;x ,"},
  };
  for (const auto& [format, accept] : kCases) {
    EXPECT_EQ(NegotiateFormat(accept), format) << accept;
  }
}

TEST(AcceptsGzip, FollowsNamesWildcardsAndQuality) {
  for (const char* accepting : {"gzip", "GZIP", "x-gzip", "deflate, gzip;q=1.0, *;q=0.5", "gzip;q=0.001", "*",
                                "*;q=0.3", "identity;q=0, gzip", "gzip, identity", "br , gzip", "gzip ; q=0.5"}) {
    EXPECT_TRUE(AcceptsGzip(accepting)) << accepting;
  }
  for (const char* refusing : {"", "identity", "gzip;q=0", "gzip;q=0.000", "gzip; q=0, *", "*;q=0", "br, deflate",
                               "gzipped", "gzip;q=0.5, identity;q=0.6", "gzip;q=2", "gzip;q=x", "identity, *;q=0.1"}) {
    EXPECT_FALSE(AcceptsGzip(refusing)) << refusing;
  }
}

}  // namespace
}  // namespace finwait::http
