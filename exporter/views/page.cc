#include "exporter/views/page.h"

#include <cmath>
#include <sstream>

#include "exporter/views/wall_time.h"

namespace finwait {
namespace {

constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
.stage { border-inline-start: .5rem solid; padding-inline-start: 1rem; }
.none { border-color: #2a7d2a; } .latent { border-color: #8a7400; } .exposed { border-color: #c25e00; }
.failing { border-color: #c01c1c; } .unknown { border-color: #6b6b6b; }
table { border-collapse: collapse; } th, td { text-align: start; padding: .2rem 1rem .2rem 0; vertical-align: top; }
code { overflow-wrap: anywhere; }
)css";

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char letter : text) {
    switch (letter) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += letter;
    }
  }
  return escaped;
}

void Section(const char* title, const std::vector<Statement>& statements, Details details, std::ostringstream& out) {
  if (statements.empty()) {
    return;
  }
  out << "<section><h2>" << title << "</h2>\n<ul>\n";
  for (const Statement& statement : statements) {
    out << "<li>" << Escaped(statement.text);
    if (details == Details::kShow && !statement.detail.empty()) {
      out << "<br><code>" << Escaped(statement.detail) << "</code>";
    }
    out << "</li>\n";
  }
  out << "</ul></section>\n";
}

void Collectors(const Snapshot& snapshot, std::ostringstream& out) {
  out << "<section><h2>Collectors</h2>\n<table><thead><tr><th scope=\"col\">Collector</th><th scope=\"col\">Last "
         "look</th>"
         "<th scope=\"col\">Every</th></tr></thead><tbody>\n";
  for (const CollectorStatus& status : snapshot.collectors) {
    const double interval = std::chrono::duration<double>(status.interval).count();
    out << "<tr><th scope=\"row\">" << Escaped(status.info->name) << "</th><td>"
        << (!status.looked       ? "not yet"
            : status.Succeeded() ? "good"
                                 : "failed")
        << "</td><td>" << std::lround(interval) << " s</td></tr>\n";
  }
  out << "</tbody></table></section>\n";
}

}  // namespace

std::string ReportPage(const Diagnosis& diagnosis, Details details, const std::string& telemetry_path) {
  const Explanation& words = diagnosis.explanation;
  const std::string stage(diagnosis.risk.stage ? Name(*diagnosis.risk.stage) : "unknown");
  std::ostringstream out;
  out << "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>finwait_exporter: " << stage
      << "</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>" << kStyle
      << "</style></head>\n<body>\n<header class=\"stage " << stage << "\"><h1>" << stage;
  if (diagnosis.risk.score) {
    out << ", " << std::lround(*diagnosis.risk.score) << " of 100";
  }
  out << "</h1>\n<p>" << Escaped(words.verdict) << "</p></header>\n<main>\n";
  Section("Stuck now", words.stuck, details, out);
  Section("Would stick if closed now", words.would_stick, details, out);
  Section("Why", words.why, details, out);
  Section("What to do", words.what_to_do, details, out);
  Section("What will not help", words.will_not_help, details, out);
  Section("What this look cannot see", words.cannot_see, details, out);
  Collectors(*diagnosis.snapshot, out);
  out << "</main>\n<footer><p>" << Rfc3339(diagnosis.at) << " · <a href=\"" << Escaped(telemetry_path)
      << "\">metrics</a> · <a href=\"/api/v1/report\">report</a> · <a href=\"/health\">health</a> · version "
      << FINWAIT_VERSION << "</p></footer>\n</body>\n</html>\n";
  return out.str();
}

}  // namespace finwait
