#include "exporter/views/page/page.h"

#include <cmath>

#include "exporter/views/page/assets.h"
#include "exporter/views/page/charts.h"
#include "exporter/views/page/html.h"
#include "exporter/views/page/incidents.h"
#include "exporter/views/page/sections.h"

namespace finwait::views::page {
namespace {

using html::Escape;

// "Failing 74 on web-1": what tells one browser tab from another.
std::string Title(const diagnosis::Diagnosis& diagnosis, const std::string& stage, const std::string& host_name) {
  std::string title = stage == "unknown" ? "cannot tell" : stage;
  if (diagnosis.risk.score) {
    title += " " + std::to_string(std::lround(*diagnosis.risk.score));
  }
  return title + (host_name.empty() ? "" : " on " + host_name) + " – finwait_exporter";
}

// Relative, so that the page also works behind a proxy that serves it under a path of its own.
std::string Link(std::string_view path, const char* name) {
  return "<a href=\"" + Escape(path.substr(1)) + "\">" + name + "</a>\n";
}

std::string Head(const diagnosis::Diagnosis& diagnosis, const std::string& stage, const std::string& host_name) {
  return "<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<title>" +
         Escape(Title(diagnosis, stage, host_name)) + "</title>\n<link rel=\"icon\" href=\"" +
         Escape(charts::StageIconUrl(diagnosis.risk.stage)) + "\">\n<style>" + kPageStyle +
         "</style>\n<noscript><meta http-equiv=\"refresh\" content=\"15\"></noscript>\n</head>\n";
}

std::string Bar(const PageSettings& settings) {
  return "<header class=\"bar\"><p class=\"product\">finwait_exporter" +
         (settings.host_name.empty() ? "" : " <span class=\"host\">" + Escape(settings.host_name) + "</span>") +
         "</p>\n<nav aria-label=\"Other views\">" + Link(settings.telemetry_path, "Metrics") +
         Link("/api/v1/report", "Report") + Link("/health", "Health") + Link("/readyz", "Readiness") +
         "</nav>\n<button id=\"pause\" type=\"button\" hidden>Pause updates</button></header>\n"
         "<p id=\"connection\" class=\"notice\" role=\"status\"></p>\n"
         "<p id=\"announcement\" class=\"unseen\" role=\"status\"></p>\n";
}

}  // namespace

std::string ReportPage(const report::Report& report, const PageSettings& settings) {
  const diagnosis::Diagnosis& diagnosis = *report.diagnosis;
  const std::string stage(diagnosis.risk.stage ? Name(*diagnosis.risk.stage) : "unknown");
  return "<!DOCTYPE html>\n<html lang=\"en\">\n" + Head(diagnosis, stage, settings.host_name) +
         "<body>\n<a class=\"skip\" href=\"#findings\">Skip to the findings</a>\n" + Bar(settings) +
         "<div id=\"report\" class=\"" + stage + "\" data-stage=\"" + stage +
         "\" data-version=\"" FINWAIT_VERSION "\">\n<main>\n" + VerdictSection(report, settings.details) +
         Tiles(diagnosis) + "<div class=\"columns\">\n<div class=\"column\" id=\"findings\" tabindex=\"-1\">\n" +
         Findings(report, settings.details) +
         IncidentsSection(settings.timeline != nullptr ? *settings.timeline : incidents::Timeline(),
                          std::chrono::time_point_cast<std::chrono::milliseconds>(diagnosis.at), settings.details) +
         "</div>\n<div class=\"column\">\n" + OwnersSection(diagnosis) + FactorsSection(diagnosis) +
         AgesSection(diagnosis) + SilenceSection(report) + TimeoutsSection(diagnosis) + PathsSection(report) +
         CollectorsSection(diagnosis) +
         "</div>\n</div>\n</main>\n<footer><p>finwait_exporter " FINWAIT_VERSION ", network namespace " +
         std::to_string(diagnosis.snapshot->network_namespace.inode) +
         ". It only reads: nothing on this host changes because it runs.</p></footer>\n</div>\n<script>" + kPageScript +
         "</script>\n</body>\n</html>\n";
}

}  // namespace finwait::views::page
