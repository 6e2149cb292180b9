#include "exporter/views/nagios.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <sstream>

#include "collectors/base/text.h"

namespace finwait::views {
namespace {

constexpr std::string_view kService = "FINWAIT ";

std::string_view StateOf(const diagnosis::Risk& risk) {
  if (!risk.stage) {
    return "UNKNOWN";
  }
  switch (*risk.stage) {
    case diagnosis::Stage::kNone:
    case diagnosis::Stage::kLatent:
      return "OK";
    case diagnosis::Stage::kExposed:
      return "WARNING";
    case diagnosis::Stage::kFailing:
      return "CRITICAL";
  }
  return "UNKNOWN";
}

// What may stand before the bar: one line of text without a bar.
std::string OneLine(const std::string& text) {
  std::string line = Printable(text);
  std::replace(line.begin(), line.end(), '|', '/');
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

template <typename Number>
void Add(std::string_view label, std::optional<Number> value, std::string_view bounds, std::ostringstream& out) {
  out << ' ' << label << '=';
  if (value) {
    out << *value;
  } else {
    out << 'U';
  }
  out << bounds;
}

}  // namespace

std::string NagiosLine(const report::Report& report) {
  const diagnosis::Diagnosis& diagnosis = *report.diagnosis;
  std::ostringstream out;
  out << kService << StateOf(diagnosis.risk) << " - " << OneLine(report.explanation.verdict);
  if (!report.explanation.cause.empty()) {
    out << ' ' << OneLine(report.explanation.cause);
  }
  out << " |";
  // Tenths: the score moves inside its band, and a graph should show that.
  const auto score =
      diagnosis.risk.score ? std::optional(std::round(*diagnosis.risk.score * 10) / 10) : std::optional<double>();
  Add("risk_score", score, ";39;69;0;100", out);
  std::optional<std::uint64_t> stuck;
  if (diagnosis.stuck) {
    stuck = diagnosis.stuck->sockets.size();
  }
  Add("stuck_sockets", stuck, ";;;0", out);
  std::optional<std::uint64_t> at_risk;
  std::optional<std::uint64_t> expiring;
  if (diagnosis.live) {
    at_risk = diagnosis.live->WouldStick();
    expiring = diagnosis.live->expiring;
  }
  Add("at_risk_sockets", at_risk, ";;;0", out);
  Add("expiring_sockets", expiring, ";;;0", out);
  out << '\n';
  return out.str();
}

std::string NagiosUnknown(const std::string& reason) {
  std::ostringstream out;
  out << kService << "UNKNOWN - " << OneLine(reason) << '\n';
  return out.str();
}

}  // namespace finwait::views
