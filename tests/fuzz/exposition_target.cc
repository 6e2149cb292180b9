#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collectors/base/utf8.h"
#include "exporter/views/exposition.h"
#include "tests/fuzz/target.h"

namespace finwait::fuzz {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

/// Takes the input apart: a byte, a double, a text up to its NUL.
class Source {
 public:
  explicit Source(std::span<const std::byte> bytes) : bytes_(bytes) {}
  bool Empty() const { return bytes_.empty(); }
  unsigned Byte() {
    const unsigned byte = bytes_.empty() ? 0 : std::to_integer<unsigned>(bytes_[0]);
    bytes_ = bytes_.subspan(bytes_.empty() ? 0 : 1);
    return byte;
  }
  double Double() {
    std::uint64_t bits = 0;
    for (int i = 0; i < 8; ++i) {
      bits = bits << 8 | Byte();
    }
    return std::bit_cast<double>(bits);
  }
  std::string Text() {
    const std::string_view all = TextOf(bytes_);
    const std::string text(all.substr(0, all.find('\0')));
    bytes_ = bytes_.subspan(std::min(bytes_.size(), text.size() + 1));
    return text;
  }

 private:
  std::span<const std::byte> bytes_;
};

/// What a reader is to see: bytes that are not UTF-8 replaced.
std::string Readable(std::string_view text) {
  std::string readable;
  while (!text.empty()) {
    const Utf8Character character = FirstUtf8Character(text);
    readable += character.valid ? text.substr(0, character.bytes) : kReplacementCharacter;
    text.remove_prefix(character.bytes);
  }
  return readable;
}

/// A sample line, as a reader of its own understands it: of this program's writer it knows nothing.
struct Line {
  std::string name;
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};

std::optional<Line> ParseLine(std::string_view text) {
  Line line;
  const std::size_t name_end = text.find_first_of("{ ");
  if (name_end == std::string_view::npos) {
    return std::nullopt;
  }
  line.name = text.substr(0, name_end);
  std::size_t at = name_end;
  if (text[at] == '{') {
    ++at;
    while (at < text.size() && text[at] != '}') {
      const std::size_t equals = text.find("=\"", at);
      if (equals == std::string_view::npos) {
        return std::nullopt;
      }
      auto& [label, value] = line.labels.emplace_back(text.substr(at, equals - at), "");
      for (at = equals + 2; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] != '\\') {
          value += text[at];
        } else if (++at < text.size()) {
          value += text[at] == 'n' ? '\n' : text[at];
        }
      }
      ++at;
      at += at < text.size() && text[at] == ',' ? 1 : 0;
    }
    ++at;
  }
  if (at >= text.size() || text[at] != ' ') {
    return std::nullopt;
  }
  const std::string_view number = text.substr(at + 1);
  if (number == "+Inf" || number == "-Inf") {
    line.value = number[0] == '-' ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  } else if (number == "NaN") {
    line.value = std::numeric_limits<double>::quiet_NaN();
  } else {
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), line.value);
    if (error != std::errc() || end != number.data() + number.size()) {
      return std::nullopt;
    }
  }
  return line;
}

/// The sample lines of a rendering; everything else has to be metadata.
std::vector<Line> ParseRendering(std::string_view text) {
  std::vector<Line> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    Require(end != std::string_view::npos, "the last line ends");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.starts_with('#')) {
      Require(line.starts_with("# HELP ") || line.starts_with("# TYPE ") || (line == "# EOF" && text.empty()),
              "comments are metadata");
      continue;
    }
    auto parsed = ParseLine(line);
    Require(parsed.has_value(), "a sample's line can be read");
    lines.push_back(std::move(*parsed));
  }
  return lines;
}

bool SameNumber(double left, double right) {
  return (std::isnan(left) && std::isnan(right)) ||
         std::bit_cast<std::uint64_t>(left) == std::bit_cast<std::uint64_t>(right);
}

}  // namespace

void RunExposition(std::span<const std::byte> input) {
  Source source(input);
  std::vector<MetricFamily> families;
  while (!source.Empty() && families.size() < 4) {
    MetricFamily& family = families.emplace_back();
    family.name = "finwait_f" + std::to_string(families.size());
    family.type = source.Byte() % 2 == 0 ? MetricType::Gauge : MetricType::Untyped;
    family.help = source.Text();
    for (unsigned metrics = source.Byte() % 4; metrics > 0; --metrics) {
      ClientMetric& metric = family.metric.emplace_back();
      metric.gauge.value = metric.untyped.value = source.Double();
      for (unsigned labels = source.Byte() % 3; labels > 0; --labels) {
        metric.label.push_back({"label" + std::to_string(labels), source.Text()});
      }
    }
  }
  for (const views::ExpositionFormat format : {views::ExpositionFormat::kText, views::ExpositionFormat::kOpenMetrics}) {
    const std::string rendering = RenderFamilies(families, format);
    const std::vector<Line> lines = ParseRendering(rendering);
    auto line = lines.begin();
    for (const MetricFamily& family : families) {
      for (const ClientMetric& metric : family.metric) {
        Require(line != lines.end(), "every metric has a line");
        Require(line->name == family.name && line->labels.size() == metric.label.size(), "with its name and labels");
        for (std::size_t i = 0; i < metric.label.size(); ++i) {
          Require(line->labels[i].first == metric.label[i].name &&
                      line->labels[i].second == Readable(metric.label[i].value),
                  "a label's value reads back");
        }
        Require(SameNumber(line->value, metric.gauge.value), "a value reads back");
        ++line;
      }
    }
    Require(line == lines.end(), "nothing else is a sample");
  }
}

}  // namespace finwait::fuzz
