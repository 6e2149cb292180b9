#include "tests/e2e/answers.h"

#include "tests/lab/connection.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

nlohmann::json Explained(const lab::Namespace& where, const UniqueFd& socket) {
  const auto output = where.Command(
      {lab::Program(), "explain", lab::LocalEndpoint(socket), lab::PeerEndpoint(socket), "--format=json"});
  auto json = nlohmann::json::parse(output.out, nullptr, false);
  if (json.is_discarded()) {
    return {{"fate", output.err}, {"tracked", false}};
  }
  return json;
}

std::string StageOf(const nlohmann::json& report) {
  const auto& stage = report["verdict"]["stage"];
  return stage.is_null() ? "cannot tell" : stage.get<std::string>();
}

// The fates of finwait_tcp_at_risk_sockets, as the report counts them.
nlohmann::json ScrapedAtRisk(const std::map<std::string, double>& series, const nlohmann::json& counts) {
  nlohmann::json scraped = counts;
  for (auto& [fate, count] : scraped.items()) {
    const auto found = series.find("finwait_tcp_at_risk_sockets{fate=\"" + fate + "\"}");
    if (count.is_number() && found != series.end()) {
      count = static_cast<std::int64_t>(found->second);
    }
  }
  return scraped;
}

std::string ScrapedStage(const std::map<std::string, double>& series) {
  for (const char* stage : {"none", "latent", "exposed", "failing"}) {
    const auto found = series.find(std::string("finwait_risk_stage{stage=\"") + stage + "\"}");
    if (found != series.end() && found->second == 1) {
      return stage;
    }
  }
  return "cannot tell";
}

// The answers of /health, by stage.
int HealthOf(const std::string& stage) { return stage == "failing" ? 503 : stage == "cannot tell" ? 500 : 200; }

}  // namespace

std::string ExplainedFate(const lab::Namespace& where, const UniqueFd& socket) {
  return Explained(where, socket).value("fate", "");
}

std::string ExplainedUntrackedFate(const lab::Namespace& where, const UniqueFd& socket) {
  const auto json = Explained(where, socket);
  const bool refused = json["fin"].is_object() && json["fin"]["reason"] == "this host has no route for it";
  return json["tracked"] == true || refused ? "" : json.value("fate", "");
}

nlohmann::json CheckedReport(const lab::Namespace& where) {
  const auto output = where.Command(lab::CheckCommand({"--format=json"}));
  return nlohmann::json::parse(output.out, nullptr, false);
}

std::string FateAtRisk(const nlohmann::json& report) {
  if (!report.is_object() || !report["live"].is_object()) {
    return "no report";
  }
  std::string fates;
  for (const auto& [fate, count] : report["live"]["at_risk"].items()) {
    if (count.is_number() && count.get<double>() > 0) {
      fates += (fates.empty() ? "" : " ") + fate;
    }
  }
  return fates.empty() ? "clean" : fates;
}

std::string Disagreement(const lab::Namespace& where, const Program& program, const nlohmann::json& report) {
  const auto checked = CheckedReport(where);
  if (!checked.is_object() || !checked["live"].is_object()) {
    return "check has no report";
  }
  const std::string stage = StageOf(report);
  const auto& counts = report["live"]["at_risk"];
  std::string differs;
  const auto compare = [&](const std::string& what, const std::string& theirs, const std::string& here) {
    if (theirs != here) {
      differs += (differs.empty() ? "" : "; ") + what + " says " + theirs + ", the report " + here;
    }
  };
  compare("check", StageOf(checked), stage);
  compare("check", checked["live"]["at_risk"].dump(), counts.dump());
  const auto series = program.Scrape();
  compare("/metrics", ScrapedStage(series), stage);
  compare("/metrics", ScrapedAtRisk(series, counts).dump(), counts.dump());
  compare("/health", std::to_string(program.Get("/health").status), std::to_string(HealthOf(stage)));
  return differs;
}

}  // namespace finwait::e2e
