#include "tests/e2e/answers.h"

#include <regex>

#include "tests/lab/connection.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

nlohmann::json Explained(const lab::Namespace& where, const UniqueFd& socket) {
  // Without the device of an address that only it knows.
  static const std::regex device("%[^\\]]*");
  const auto end = [](const std::string& text) { return std::regex_replace(text, device, ""); };
  const auto output = where.Command(
      {lab::Program(), "explain", end(lab::LocalEndpoint(socket)), end(lab::PeerEndpoint(socket)), "--format=json"});
  auto json = nlohmann::json::parse(output.out, nullptr, false);
  if (json.is_discarded()) {
    return {{"fate", output.err}, {"tracked", false}};
  }
  return json;
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

struct Differences {
  std::string text;
  void Compare(const std::string& what, const std::string& theirs, const std::string& here) {
    if (theirs != here) {
      text += (text.empty() ? "" : "; ") + what + " says " + theirs + ", the report " + here;
    }
  }
};

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

nlohmann::json ReportOf(const Program& program) {
  return nlohmann::json::parse(program.Get("/api/v1/report").body, nullptr, false);
}

nlohmann::json CheckedReport(const lab::Namespace& where, const std::vector<std::string>& flags) {
  std::vector<std::string> command = {lab::Program(), "check", "--format=json"};
  command.insert(command.end(), flags.begin(), flags.end());
  const auto output = where.Command(flags.empty() ? lab::CheckCommand({"--format=json"}) : command);
  return nlohmann::json::parse(output.out, nullptr, false);
}

std::string StageOf(const nlohmann::json& report) {
  if (!report.is_object() || !report["verdict"].is_object()) {
    return "no report";
  }
  const auto& stage = report["verdict"]["stage"];
  return stage.is_null() ? "cannot tell" : stage.get<std::string>();
}

std::string CausesOf(const nlohmann::json& report) {
  std::string text;
  if (!report.is_object() || !report["stuck"].is_object()) {
    return "no report";
  }
  for (const auto& [cause, numbers] : report["stuck"]["by_cause"].items()) {
    const int now = numbers["now"].get<int>();
    text += now > 0 ? (text.empty() ? "" : ", ") + cause + " " + std::to_string(now) : "";
  }
  return text;
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

std::string DisagreementWithin(const Program& program, const nlohmann::json& report) {
  const auto series = program.Scrape();
  const std::string stage = StageOf(report);
  const auto& counts = report["live"]["at_risk"];
  Differences differs;
  differs.Compare("/metrics", ScrapedStage(series), stage);
  differs.Compare("/metrics", ScrapedAtRisk(series, counts).dump(), counts.dump());
  differs.Compare("/health", std::to_string(program.Get("/health").status), std::to_string(HealthOf(stage)));
  return differs.text;
}

std::string Disagreement(const lab::Namespace& where, const Program& program, const nlohmann::json& report,
                         const std::vector<std::string>& check_flags) {
  const auto checked = CheckedReport(where, check_flags);
  if (!checked.is_object() || !checked["live"].is_object()) {
    return "check has no report";
  }
  Differences differs;
  differs.Compare("check", StageOf(checked), StageOf(report));
  differs.Compare("check", checked["live"]["at_risk"].dump(), report["live"]["at_risk"].dump());
  const std::string within = DisagreementWithin(program, report);
  return differs.text + (differs.text.empty() || within.empty() ? "" : "; ") + within;
}

}  // namespace finwait::e2e
