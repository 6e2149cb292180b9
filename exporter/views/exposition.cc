#include "exporter/views/exposition.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>

#include "collectors/base/utf8.h"

namespace finwait::views {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

std::string_view TypeName(MetricType type, ExpositionFormat format) {
  switch (type) {
    case MetricType::Counter:
      return "counter";
    case MetricType::Gauge:
      return "gauge";
    case MetricType::Summary:
      return "summary";
    case MetricType::Histogram:
      return "histogram";
    case MetricType::Untyped:
      break;
  }
  return format == ExpositionFormat::kOpenMetrics ? "unknown" : "untyped";
}

/// One scrape being written.
class Writer {
 public:
  Writer(ExpositionFormat format, const StartOfCounter& start_of) : format_(format), start_of_(start_of) {}

  void Write(const MetricFamily& family) {
    WriteMetadata(family);
    const bool has_start = IsOpenMetrics() && family.type == MetricType::Counter && start_of_;
    const std::optional<double> start = has_start ? start_of_(family.name) : std::nullopt;
    for (const ClientMetric& metric : family.metric) {
      switch (family.type) {
        case MetricType::Counter:
          WriteNumber(family.name, metric, metric.counter.value);
          if (start) {
            WriteStart(family.name, metric, *start);
          }
          break;
        case MetricType::Gauge:
          WriteNumber(family.name, metric, metric.gauge.value);
          break;
        case MetricType::Untyped:
          WriteNumber(family.name, metric, metric.untyped.value);
          break;
        case MetricType::Summary:
          WriteSummary(family.name, metric);
          break;
        case MetricType::Histogram:
          WriteHistogram(family.name, metric);
          break;
      }
    }
  }

  std::string Finish() && {
    if (format_ == ExpositionFormat::kOpenMetrics) {
      out_ += "# EOF\n";
    }
    return std::move(out_);
  }

 private:
  bool IsOpenMetrics() const { return format_ == ExpositionFormat::kOpenMetrics; }

  static std::string_view WithoutTotal(std::string_view name) {
    constexpr std::string_view kTotal = "_total";
    return name.ends_with(kTotal) ? name.substr(0, name.size() - kTotal.size()) : name;
  }

  void WriteMetadata(const MetricFamily& family) {
    std::string_view name = family.name;
    if (IsOpenMetrics() && family.type == MetricType::Counter) {
      name = WithoutTotal(name);
    }
    if (!family.help.empty()) {
      out_ += "# HELP ";
      out_ += name;
      out_ += ' ';
      WriteEscaped(family.help, IsOpenMetrics());
      out_ += '\n';
    }
    out_ += "# TYPE ";
    out_ += name;
    out_ += ' ';
    out_ += TypeName(family.type, format_);
    out_ += '\n';
  }

  void WriteEscaped(std::string_view text, bool escape_quotes) {
    while (!text.empty()) {
      const Utf8Character character = FirstUtf8Character(text);
      if (!character.valid) {
        out_ += kReplacementCharacter;
      } else if (text[0] == '\\') {
        out_ += "\\\\";
      } else if (text[0] == '\n') {
        out_ += "\\n";
      } else if (text[0] == '"' && escape_quotes) {
        out_ += "\\\"";
      } else {
        out_ += text.substr(0, character.bytes);
      }
      text.remove_prefix(character.bytes);
    }
  }

  void WriteDouble(double value) {
    if (std::isnan(value)) {
      out_ += "NaN";
    } else if (std::isinf(value)) {
      out_ += value > 0 ? "+Inf" : "-Inf";
    } else {
      std::array<char, 32> text{};  // the longest is "-2.2250738585072014e-308"
      const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
      out_.append(text.data(), end);
    }
  }

  /// The value of `le` and `quantile`, which OpenMetrics compares as text: "1.0", never "1".
  void WriteBound(double value) {
    const std::size_t start = out_.size();
    WriteDouble(value);
    if (IsOpenMetrics() && std::isfinite(value) && out_.find_first_of(".e", start) == std::string::npos) {
      out_ += ".0";
    }
  }

  void WriteCount(std::uint64_t count) { out_ += std::to_string(count); }

  /// Name and labels; `bound_name` ("le", "quantile" or none) comes last.
  void BeginSample(std::string_view name, std::string_view suffix, const ClientMetric& metric,
                   std::string_view bound_name = {}, double bound = 0) {
    out_ += name;
    out_ += suffix;
    char separator = '{';
    for (const ClientMetric::Label& label : metric.label) {
      out_ += separator;
      out_ += label.name;
      out_ += "=\"";
      WriteEscaped(label.value, true);
      out_ += '"';
      separator = ',';
    }
    if (!bound_name.empty()) {
      out_ += separator;
      out_ += bound_name;
      out_ += "=\"";
      WriteBound(bound);
      out_ += '"';
      separator = ',';
    }
    out_ += separator == ',' ? "} " : " ";
  }

  void EndSample(const ClientMetric& metric) {
    if (metric.timestamp_ms != 0) {
      out_ += ' ';
      if (IsOpenMetrics()) {  // seconds
        WriteDouble(static_cast<double>(metric.timestamp_ms) / 1000);
      } else {
        out_ += std::to_string(metric.timestamp_ms);
      }
    }
    out_ += '\n';
  }

  void WriteNumber(std::string_view name, const ClientMetric& metric, double value) {
    BeginSample(name, "", metric);
    WriteDouble(value);
    EndSample(metric);
  }

  /// In Unix time with milliseconds, never in an exponent's form, as people compare it with a clock.
  void WriteStart(std::string_view name, const ClientMetric& metric, double start) {
    BeginSample(WithoutTotal(name), "_created", metric);
    std::array<char, 32> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), start, std::chars_format::fixed, 3);
    out_.append(text.data(), end);
    out_ += '\n';
  }

  void WriteSumAndCount(std::string_view name, const ClientMetric& metric, double sum, std::uint64_t count) {
    BeginSample(name, "_sum", metric);
    WriteDouble(sum);
    EndSample(metric);
    BeginSample(name, "_count", metric);
    WriteCount(count);
    EndSample(metric);
  }

  void WriteSummary(std::string_view name, const ClientMetric& metric) {
    for (const ClientMetric::Quantile& quantile : metric.summary.quantile) {
      BeginSample(name, "", metric, "quantile", quantile.quantile);
      WriteDouble(quantile.value);
      EndSample(metric);
    }
    WriteSumAndCount(name, metric, metric.summary.sample_sum, metric.summary.sample_count);
  }

  void WriteBucket(std::string_view name, const ClientMetric& metric, double bound, std::uint64_t count) {
    BeginSample(name, "_bucket", metric, "le", bound);
    WriteCount(count);
    EndSample(metric);
  }

  void WriteHistogram(std::string_view name, const ClientMetric& metric) {
    std::vector<ClientMetric::Bucket> buckets = metric.histogram.bucket;
    std::sort(buckets.begin(), buckets.end(),
              [](const auto& left, const auto& right) { return left.upper_bound < right.upper_bound; });
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    for (const ClientMetric::Bucket& bucket : buckets) {
      WriteBucket(name, metric, bucket.upper_bound, bucket.cumulative_count);
    }
    if (buckets.empty() || buckets.back().upper_bound != kInfinity) {
      WriteBucket(name, metric, kInfinity, metric.histogram.sample_count);
    }
    WriteSumAndCount(name, metric, metric.histogram.sample_sum, metric.histogram.sample_count);
  }

  ExpositionFormat format_;
  const StartOfCounter& start_of_;
  std::string out_;
};

}  // namespace

std::string_view ContentType(ExpositionFormat format) {
  return format == ExpositionFormat::kOpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                                  : "text/plain; version=0.0.4; charset=utf-8";
}

std::string RenderFamilies(const std::vector<MetricFamily>& families, ExpositionFormat format,
                           const StartOfCounter& start_of) {
  Writer writer(format, start_of);
  for (const MetricFamily& family : families) {
    if (!family.metric.empty()) {
      writer.Write(family);
    }
  }
  return std::move(writer).Finish();
}

}  // namespace finwait::views
