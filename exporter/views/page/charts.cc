#include "exporter/views/page/charts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "exporter/views/page/html.h"

namespace finwait::views::page::charts {
namespace {

using html::Percent;

struct Shape {
  std::string_view body;    // inside a 24 by 24 view
  std::string_view colour;  // for the browser's tab, where no style applies: readable on light and dark
};

Shape ShapeOf(std::optional<diagnosis::Stage> stage) {
  if (!stage) {
    return {
        R"svg(<circle cx="12" cy="12" r="11"/><path class="mark" d="M8.5 9.2a3.5 3.5 0 1 1 5.2 3.1c-1.1.7-1.7 1.3-1.7 2.5"/><circle class="dot" cx="12" cy="18" r="1.3"/>)svg",
        "#6b7480"};
  }
  switch (*stage) {
    case diagnosis::Stage::kNone:
      return {R"svg(<circle cx="12" cy="12" r="11"/><path class="mark" d="m7 12.5 3.4 3.4L17 8.8"/>)svg", "#1f9254"};
    case diagnosis::Stage::kLatent:
      return {
          R"svg(<rect x="3.4" y="3.4" width="17.2" height="17.2" rx="3" transform="rotate(45 12 12)"/><path class="mark" d="M12 6.8v6.4"/><circle class="dot" cx="12" cy="16.9" r="1.3"/>)svg",
          "#b07d00"};
    case diagnosis::Stage::kExposed:
      return {
          R"svg(<path d="M12 1.6 23.4 21.4a1 1 0 0 1-.9 1.5h-21a1 1 0 0 1-.9-1.5z"/><path class="mark" d="M12 8.6v6.2"/><circle class="dot" cx="12" cy="18.6" r="1.3"/>)svg",
          "#d95f02"};
    case diagnosis::Stage::kFailing:
      return {
          R"svg(<path d="M7.4 1h9.2L23 7.4v9.2L16.6 23H7.4L1 16.6V7.4z"/><path class="mark" d="m8 8 8 8m0-8-8 8"/>)svg",
          "#d7263d"};
  }
  return {};
}

// What a URL's path must not hold as it is, in the letters that an SVG has.
std::string UrlEncoded(std::string_view svg) {
  std::string encoded;
  for (const char letter : svg) {
    switch (letter) {
      case '<':
        encoded += "%3C";
        break;
      case '>':
        encoded += "%3E";
        break;
      case '#':
        encoded += "%23";
        break;
      case '"':
        encoded += "%22";
        break;
      case ' ':
        encoded += "%20";
        break;
      default:
        encoded += letter;
    }
  }
  return encoded;
}

struct Band {
  diagnosis::Stage stage;
  int from;
  int to;
};
constexpr double kLowest = 1;
constexpr double kHighest = 100;
constexpr Band kBands[] = {
    {diagnosis::Stage::kLatent, 1, 39}, {diagnosis::Stage::kExposed, 40, 69}, {diagnosis::Stage::kFailing, 70, 100}};

// Where a score is on the scale, 0 to 1.
double OnScale(double score) { return (score - kLowest) / (kHighest - kLowest); }

constexpr double kBase = 80;  // where the bars of a histogram stand, and above the tallest one:
constexpr double kTop = 30;   // room for the timeout's words and the bar's own number
constexpr std::size_t kBuckets = sources::AgeHistogram::kBounds.size() + 1;
// Of AgeHistogram::kBounds, short enough to stand side by side.
constexpr std::string_view kEdgeNames[] = {"15s", "1m", "5m", "30m", "2h", "1d", "5d"};
static_assert(std::size(kEdgeNames) == sources::AgeHistogram::kBounds.size());

double Edge(std::size_t bucket) { return static_cast<double>(bucket) / static_cast<double>(kBuckets); }

// Where a duration is among the buckets, 0 to 1; what is in the open one is in its middle.
double Position(double seconds) {
  double low = 0;
  for (std::size_t bucket = 0; bucket < sources::AgeHistogram::kBounds.size(); ++bucket) {
    const double high = sources::AgeHistogram::kBounds[bucket];
    if (seconds <= high) {
      return Edge(bucket) + (seconds - low) / (high - low) / static_cast<double>(kBuckets);
    }
    low = high;
  }
  return (Edge(kBuckets - 1) + 1) / 2;
}

// "12 entries. Idle up to 15 s: 3. 15 s to 60 s: 9. Forgotten after 5 d." Only the buckets that hold something.
std::string InWords(std::string_view state, const sources::AgeHistogram& idle, std::uint64_t total,
                    std::optional<double> timeout) {
  std::string words(state);
  words += ": " + html::Count(total, "entry", "entries");
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    if (idle.counts[bucket] == 0) {
      continue;
    }
    words += ", " + html::Number(idle.counts[bucket]) + " idle ";
    if (bucket == kBuckets - 1) {
      words += "for more than " + html::Duration(sources::AgeHistogram::kBounds.back());
    } else {
      words += "for up to " + html::Duration(sources::AgeHistogram::kBounds[bucket]);
    }
  }
  if (timeout) {
    words += "; forgotten after " + html::Duration(*timeout);
  }
  return words;
}

std::string Text(double x, double y, std::string_view style, std::string_view text) {
  return "<text class=\"" + std::string(style) + "\" x=\"" + Percent(x) + "\" y=\"" + std::to_string(std::lround(y)) +
         "\">" + std::string(text) + "</text>";
}

// The dashed line, with its words on the side that has room.
std::string TimeoutLine(double timeout) {
  const double x = Position(timeout);
  return "<line class=\"limit\" x1=\"" + Percent(x) + "\" x2=\"" + Percent(x) + "\" y1=\"4\" y2=\"" +
         std::to_string(std::lround(kBase)) + "\"/>" + "<svg class=\"offset\" x=\"" + Percent(x) +
         "\"><text class=\"limit-label " + (x > 0.5 ? "before" : "behind") + "\" x=\"" + (x > 0.5 ? "-5" : "5") +
         "\" y=\"12\">forgotten after " + html::Duration(timeout) + "</text></svg>";
}

constexpr std::size_t kSteps = diagnosis::kTimeoutLadder.size();
constexpr double kCurveBase = 110;
constexpr double kCurveTop = 22;  // room for the highest point's own number
// Of kTimeoutLadder, short enough to stand side by side.
constexpr std::string_view kStepNames[] = {"1m", "4m", "5m50", "10m", "15m", "1h", "2h04", "1d"};
static_assert(std::size(kStepNames) == kSteps);

double StepAt(std::size_t step) { return (static_cast<double>(step) + 0.5) / static_cast<double>(kSteps); }

double CurveHeight(std::uint64_t count, std::uint64_t all) {
  if (count == 0 || all == 0) {
    return 0;
  }
  // One connection among a million is still to be seen.
  return std::max(2.0, (kCurveBase - kCurveTop) * static_cast<double>(count) / static_cast<double>(all));
}

// The area under a curve, in a view of its own that is stretched to the width given.
std::string Area(std::string_view style, const diagnosis::LadderCounts& counts, std::uint64_t all) {
  const std::string base = std::to_string(std::lround(kCurveBase));
  std::string points = std::to_string(std::lround(1000 * StepAt(0))) + "," + base;
  for (std::size_t step = 0; step < kSteps; ++step) {
    points += " " + std::to_string(std::lround(1000 * StepAt(step))) + "," +
              std::to_string(std::lround(kCurveBase - CurveHeight(counts[step], all)));
  }
  points += " " + std::to_string(std::lround(1000 * StepAt(kSteps - 1))) + "," + base;
  return "<polygon class=\"area " + std::string(style) + "\" points=\"" + points + "\"/>";
}

// "52 live connections. Silent for longer than 60 s: 40, of these 38 without a keepalive before; 240 s: ..."
std::string InWords(const diagnosis::IdleSummary& idle) {
  std::string words = html::Count(idle.sockets, "live connection", "live connections") + ". Silent for longer than";
  for (std::size_t step = 0; step < kSteps; ++step) {
    words += std::string(step == 0 ? " " : "; ") + std::to_string(diagnosis::kTimeoutLadder[step]) +
             " s: " + html::Number(idle.outlived[step]);
    if (idle.outlived[step] > 0) {
      words += ", of these " + html::Number(idle.outlived_without_keepalive[step]) + " without a keepalive before";
    }
  }
  return words;
}

}  // namespace

std::string StageIcon(std::optional<diagnosis::Stage> stage) {
  return "<svg class=\"icon\" viewBox=\"0 0 24 24\" aria-hidden=\"true\">" + std::string(ShapeOf(stage).body) +
         "</svg>";
}

std::string StageIconUrl(std::optional<diagnosis::Stage> stage) {
  const Shape shape = ShapeOf(stage);
  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 24 24\" fill=\"";
  svg.append(shape.colour).append("\"><style>.mark{fill:none;stroke:white;stroke-width:2.4}.dot{fill:white}</style>");
  return "data:image/svg+xml," + UrlEncoded(svg.append(shape.body).append("</svg>"));
}

std::string ScoreScale(std::optional<diagnosis::Stage> stage, std::optional<double> score) {
  std::string svg = "<svg class=\"scale\" height=\"46\" aria-hidden=\"true\">";
  for (const Band& band : kBands) {
    const double from = OnScale(band.from);
    constexpr double kGap = 0.6;
    svg += "<rect class=\"band" + std::string(stage == band.stage ? " current" : "") + "\" x=\"" + Percent(from) +
           "\" y=\"8\" width=\"" + Percent(OnScale(std::min(kHighest, band.to + 1 - kGap)) - from) +
           "\" height=\"8\" rx=\"4\"/>" +
           Text(from, 40, stage == band.stage ? "band-label current" : "band-label",
                "<tspan class=\"from\">" + std::to_string(band.from) + "</tspan> " + std::string(Name(band.stage)));
  }
  if (score) {
    svg += "<circle class=\"marker\" cx=\"" + Percent(OnScale(*score)) + "\" cy=\"12\" r=\"8\"/>";
  }
  return svg + "</svg>";
}

std::string IdleHistogram(std::string_view state, const sources::AgeHistogram& idle, std::optional<double> timeout) {
  const std::uint64_t total = std::accumulate(idle.counts.begin(), idle.counts.end(), std::uint64_t{0});
  const std::uint64_t most = *std::max_element(idle.counts.begin(), idle.counts.end());
  std::string svg = "<svg class=\"histogram\" height=\"98\" role=\"img\" aria-label=\"" +
                    html::Escape(InWords(state, idle, total, timeout)) + "\">";
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    const std::uint64_t count = idle.counts[bucket];
    if (count > 0) {
      // One entry among a million is still to be seen.
      const double height = std::max(2.0, (kBase - kTop) * static_cast<double>(count) / static_cast<double>(most));
      svg += "<rect class=\"bar\" x=\"" + Percent(Edge(bucket) + 0.008) + "\" width=\"" +
             Percent(1.0 / kBuckets - 0.016) + "\" y=\"" + std::to_string(std::lround(kBase - height)) +
             "\" height=\"" + std::to_string(std::lround(height)) + "\" rx=\"2\"/>" +
             Text(Edge(bucket) + 0.5 / kBuckets, kBase - height - 4, "count", html::Number(count));
    }
    if (bucket > 0) {
      svg += Text(Edge(bucket), kBase + 15, "tick", kEdgeNames[bucket - 1]);
    }
  }
  const std::string base = std::to_string(std::lround(kBase));
  svg += "<line class=\"axis\" x1=\"0\" x2=\"100%\" y1=\"" + base + "\" y2=\"" + base + "\"/>";
  if (total == 0) {
    svg += Text(0.5, kBase - 22, "empty", "no entries");
  }
  if (timeout) {
    svg += TimeoutLine(*timeout);
  }
  return svg + "</svg>";
}

std::string SilenceCurve(const diagnosis::IdleSummary& idle) {
  const std::string base = std::to_string(std::lround(kCurveBase));
  std::string svg = "<svg class=\"curve\" height=\"132\" role=\"img\" aria-label=\"" + html::Escape(InWords(idle)) +
                    "\"><svg x=\"0\" y=\"0\" width=\"100%\" height=\"" + base + "\" viewBox=\"0 0 1000 " + base +
                    "\" preserveAspectRatio=\"none\">" + Area("all", idle.outlived, idle.sockets) +
                    Area("unsaved", idle.outlived_without_keepalive, idle.sockets) + "</svg>";
  for (std::size_t step = 0; step < kSteps; ++step) {
    const std::uint64_t count = idle.outlived[step];
    const double top = kCurveBase - CurveHeight(count, idle.sockets);
    if (count > 0) {
      svg += "<circle class=\"point\" cx=\"" + Percent(StepAt(step)) + "\" cy=\"" + std::to_string(std::lround(top)) +
             "\" r=\"3\"/>" + Text(StepAt(step), top - 7, "count", html::Number(count));
    }
    svg += Text(StepAt(step), kCurveBase + 15, "tick", kStepNames[step]);
  }
  return svg + "<line class=\"axis\" x1=\"0\" x2=\"100%\" y1=\"" + base + "\" y2=\"" + base + "\"/>" +
         (idle.outlived.front() == 0 ? Text(0.5, kCurveBase - 40, "empty", "none") : "") + "</svg>";
}

std::string TimeoutBar(double seconds, std::optional<double> keepalive) {
  // From a second to ten days: five powers of ten and a bit.
  const auto place = [](double value) { return std::log10(std::clamp(value, 1.0, 864000.0)) / std::log10(864000.0); };
  const bool forgotten_first = keepalive && seconds <= *keepalive;
  std::string svg =
      "<svg class=\"row-chart\" height=\"28\" aria-hidden=\"true\"><rect class=\"track\" x=\"0\" y=\"11\" "
      "width=\"100%\" height=\"6\" rx=\"3\"/><rect class=\"" +
      std::string(forgotten_first ? "bar early" : "bar") + "\" x=\"0\" y=\"11\" width=\"" + Percent(place(seconds)) +
      "\" height=\"6\" rx=\"3\"/>";
  if (keepalive) {
    const std::string x = Percent(place(*keepalive));
    svg += "<line class=\"limit\" x1=\"" + x + "\" x2=\"" + x + "\" y1=\"0\" y2=\"28\"/>";
  }
  return svg + "</svg>";
}

std::string ShareBar(double share) {
  return "<svg class=\"row-chart\" height=\"20\" aria-hidden=\"true\"><rect class=\"track\" x=\"0\" y=\"7\" "
         "width=\"100%\" height=\"6\" rx=\"3\"/><rect class=\"bar\" x=\"0\" y=\"7\" width=\"" +
         Percent(share) + "\" height=\"6\" rx=\"3\"/></svg>";
}

}  // namespace finwait::views::page::charts
