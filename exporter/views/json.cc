#include "exporter/views/json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "collectors/sources/network_namespaces.h"
#include "collectors/sources/sysctl.h"
#include "exporter/planning/host_json.h"
#include "exporter/views/json_text.h"
#include "exporter/views/rule_json.h"
#include "exporter/views/wall_time.h"
#include "exporter/views/witness_json.h"

namespace finwait::views {
namespace {

using Json = nlohmann::ordered_json;

// More rules than this are counted and not listed, as are sockets: a report stays under a megabyte whatever a host
// holds.
constexpr std::size_t kMostRules = 250;

std::size_t NotListed(std::size_t all, std::size_t most) { return all > most ? all - most : 0; }

double Rounded(double value) { return std::round(value * 1000) / 1000; }

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json VerdictJson(const report::Report& report) {
  const diagnosis::Diagnosis& diagnosis = *report.diagnosis;
  Json verdict;
  verdict["stage"] = diagnosis.risk.stage ? Json(Name(*diagnosis.risk.stage)) : Json(nullptr);
  verdict["score"] = diagnosis.risk.score ? Json(Rounded(*diagnosis.risk.score)) : Json(nullptr);
  verdict["summary"] = report.explanation.verdict;
  verdict["cause"] = report.explanation.cause;
  return verdict;
}

Json FactorsJson(const diagnosis::RiskFactors& factors) {
  return Json{{"expiring_share", OrNull(factors.expiring_share)}, {"at_risk_share", OrNull(factors.at_risk_share)},
              {"at_risk_count", OrNull(factors.at_risk_count)},   {"stuck_count", OrNull(factors.stuck_count)},
              {"stuck_age", OrNull(factors.stuck_age)},           {"lost_count", OrNull(factors.lost_count)}};
}

Json SiteJson(const diagnosis::DropSite& site) {
  Json json = RuleJson(site.rule);
  json["hook"] = Name(site.hook);
  json["policy"] = site.rule.IsPolicy();
  json["verdict"] = site.rejects ? "reject" : "drop";
  return json;
}

// `site`: a pointer to a drop site or an optional one.
template <typename Site>
Json SiteOrNull(const Site& site) {
  return site ? SiteJson(*site) : Json(nullptr);
}
template <typename Site>
Json RuleTextJson(const Site& site) {
  return site ? Json(site->rule_text) : Json(nullptr);
}

// What became of the connection's entry, and what could have kept it.
void AddHistory(const diagnosis::ConnectionHistory& history, Json& socket) {
  socket["keepalive"] = OrNull(history.keepalive);
  socket["entry"] = Name(history.entry_end);
  socket["entry_state"] = history.entry_state ? Json(Name(*history.entry_state)) : Json(nullptr);
  socket["source_nat"] = history.SeenTracked() ? Json(history.source_nat) : Json(nullptr);
  socket["destination_nat"] = history.SeenTracked() ? Json(history.destination_nat) : Json(nullptr);
}

void AddAddresses(const Endpoint& local, const Endpoint& peer, const diagnosis::ConnectionHistory& history,
                  Json& socket) {
  socket["local"] = local.Text();
  socket["peer"] = peer.Text();
  socket["translated_local"] = history.translation != nullptr ? Json(history.translation->local.Text()) : Json(nullptr);
  socket["translated_peer"] = history.translation != nullptr ? Json(history.translation->peer.Text()) : Json(nullptr);
}

// `number`: which of a site's numbers counts.
Json ByRuleJson(const std::vector<report::AffectedSite>& sites, std::uint64_t report::AffectedSite::*number) {
  Json by_rule = Json::array();
  for (const report::AffectedSite& site : sites) {
    if (site.*number > 0 && by_rule.size() < kMostSocketsInJson) {
      by_rule.push_back(
          {{"rule", SiteJson(site.site)}, {"packet", site.inbound ? "ack" : "fin"}, {"now", site.*number}});
    }
  }
  return by_rule;
}

Json OwnerJson(const kernel::namespaces::Owner& owner) {
  return Json{{"kind", Name(owner.kind)},
              {"namespace", owner.name_space},
              {"name", owner.name},
              {"container", owner.container}};
}

Json OwnerOrNull(const std::shared_ptr<const kernel::namespaces::Owner>& owner) {
  return owner != nullptr ? OwnerJson(*owner) : Json(nullptr);
}

Json OwnersJson(const std::vector<diagnosis::OwnerCount>& owners) {
  Json json = Json::array();
  for (const diagnosis::OwnerCount& one : owners) {
    if (json.size() == kMostSocketsInJson) {
      break;
    }
    Json owner = OwnerJson(one.owner);
    owner["stuck_last_hour"] = one.stuck;
    owner["stuck"] = one.stuck_now;
    owner["at_risk"] = one.at_risk;
    json.push_back(std::move(owner));
  }
  return json;
}

Json StuckJson(const diagnosis::StuckSummary& stuck, const std::vector<report::AffectedSite>& sites, Details details) {
  Json by_cause;
  for (std::size_t cause = 0; cause < std::size(diagnosis::kCauses); ++cause) {
    std::uint64_t now = 0;
    std::uint64_t total = 0;
    for (std::size_t state = 0; state < std::size(diagnosis::kStuckStates); ++state) {
      now += stuck.now[state][cause];
      total += stuck.total[state][cause];
    }
    by_cause[std::string(Name(diagnosis::kCauses[cause]))] = {{"now", now}, {"total", total}};
  }
  Json sockets = Json::array();
  for (const diagnosis::StuckSocket& one : stuck.sockets) {
    if (sockets.size() == kMostSocketsInJson) {
      break;
    }
    Json socket = {{"family", Name(one.socket.local.address.Family())},
                   {"state", Name(one.socket.state)},
                   {"cause", one.cause ? Json(Name(*one.cause)) : Json(nullptr)},
                   {"age_seconds", Rounded(one.age.count())},
                   {"orphan", one.socket.orphan},
                   {"tries", one.socket.tries},
                   {"unsent_bytes", OrNull(one.socket.unsent)},
                   {"unacknowledged_segments", one.socket.unacknowledged},
                   {"send_window_bytes", OrNull(one.socket.send_window)}};
    AddHistory(one.history, socket);
    socket["owner"] = OwnerOrNull(one.owner);
    AddProof(one, socket);
    socket["rule"] = SiteOrNull(one.site);
    if (details == Details::kShow) {
      AddAddresses(one.socket.local, one.socket.peer, one.history, socket);
      socket["rule_text"] = RuleTextJson(one.site);
    }
    sockets.push_back(std::move(socket));
  }
  return Json{{"count", stuck.sockets.size()},
              {"by_cause", by_cause},
              {"by_rule", ByRuleJson(sites, &report::AffectedSite::stuck)},
              {"sockets", sockets},
              {"sockets_not_listed", NotListed(stuck.sockets.size(), kMostSocketsInJson)}};
}

Json LiveJson(const diagnosis::LiveSummary& live, const std::vector<report::AffectedSite>& sites, Details details) {
  Json at_risk;
  const std::uint64_t all = std::accumulate(live.at_risk.begin(), live.at_risk.end(), std::uint64_t{0});
  for (std::size_t i = 0; i < std::size(diagnosis::kFatesAtRisk); ++i) {
    at_risk[std::string(Name(diagnosis::kFatesAtRisk[i]))] = live.at_risk[i];
  }
  Json sockets = Json::array();
  for (const diagnosis::AtRiskSocket& one : live.sockets) {
    if (sockets.size() == kMostSocketsInJson) {
      break;
    }
    Json socket = {{"family", Name(one.socket.local.address.Family())},
                   {"state", Name(one.socket.state)},
                   {"fate", Name(one.fate)},
                   {"stands_for", one.stands_for}};
    AddHistory(one.history, socket);
    socket["owner"] = OwnerOrNull(one.owner);
    socket["rule"] = SiteOrNull(one.site);
    if (details == Details::kShow) {
      AddAddresses(one.socket.local, one.socket.peer, one.history, socket);
      socket["rule_text"] = RuleTextJson(one.site);
      socket["reason"] = one.reason;
    }
    sockets.push_back(std::move(socket));
  }
  return Json{{"open", live.open},
              {"untracked", {{"established", live.untracked_established}, {"close_wait", live.untracked_close_wait}}},
              {"at_risk", at_risk},
              {"by_rule", ByRuleJson(sites, &report::AffectedSite::at_risk)},
              {"expiring", OrNull(live.expiring)},
              {"not_evaluated", live.unread_elsewhere},
              {"never_tracked", live.never_tracked_elsewhere},
              {"sockets", sockets},
              {"sockets_not_listed", NotListed(std::max<std::uint64_t>(all, live.sockets.size()), sockets.size())}};
}

// How many each timeout of the ladder forgets, by its seconds.
Json LadderJson(const diagnosis::LadderCounts& counts) {
  Json json;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    json[std::to_string(diagnosis::kTimeoutLadder[i])] = counts[i];
  }
  return json;
}

Json KeepaliveJson(const std::array<std::uint64_t, 3>& counts) {
  Json json;
  for (const diagnosis::Keepalive keepalive : diagnosis::kKeepalives) {
    json[std::string(Name(keepalive))] = counts[static_cast<std::size_t>(keepalive)];
  }
  return json;
}

Json EffectJson(const diagnosis::TimeoutEffect& effect) {
  return Json{{"sockets", effect.sockets},
              {"forgotten", effect.forgotten},
              {"late_keepalive", effect.late_keepalive},
              {"without_keepalive", effect.without_keepalive},
              {"spoke_again", effect.spoke_again},
              {"safe", effect.IsSafe()}};
}

Json IdleJson(const diagnosis::IdleSummary& idle) {
  Json services = Json::array();
  for (const diagnosis::ServiceIdle& service : idle.services) {
    services.push_back({{"port", service.service.port},
                        {"at_peer", service.service.at_peer},
                        {"owner", OwnerOrNull(service.owner)},
                        {"sockets", service.sockets},
                        {"longest_seconds", service.longest_seconds},
                        {"outlived_without_keepalive", LadderJson(service.outlived_without_keepalive)},
                        {"spoke_again", LadderJson(service.spoke_again)},
                        {"in_force", EffectJson(service.in_force)},
                        {"keepalive", KeepaliveJson(service.by_keepalive)}});
  }
  Json paths = Json::array();
  for (const diagnosis::PathIdle& path : idle.paths) {
    paths.push_back({{"path", path.path.network},
                     {"timeout_seconds", path.path.timeout.count()},
                     {"expiring", path.expiring},
                     {"longest_needed_seconds", path.longest_needed_seconds},
                     {"in_force", EffectJson(path.effect)}});
  }
  return Json{{"sockets", idle.sockets},
              {"untold", idle.untold},
              {"outlived", LadderJson(idle.outlived)},
              {"outlived_without_keepalive", LadderJson(idle.outlived_without_keepalive)},
              {"keepalive", KeepaliveJson(idle.by_keepalive)},
              {"longest_needed_seconds", idle.longest_needed_seconds},
              {"half_closed",
               {{"sockets", idle.half_closed}, {"longest_needed_seconds", idle.longest_needed_half_closed_seconds}}},
              {"last_24_hours",
               {{"largest_seconds", idle.last_24_hours.largest_seconds},
                {"longer", LadderJson(idle.last_24_hours.spoke_again.longer)}}},
              {"in_force", EffectJson(idle.local)},
              {"own_timeouts", EffectJson(idle.own)},
              {"missing_entries", idle.missing_entries},
              {"watched_seconds", idle.watched.count()},
              {"services", services},
              {"paths", paths}};
}

Json FirewallJson(const sources::FirewallSample& firewall, Details details) {
  Json rules = Json::array();
  for (const firewall::analysis::InvalidDropRule& rule : firewall.invalid_drops) {
    if (rules.size() == kMostRules) {
      break;
    }
    Json json = RuleJson(rule.location);
    json["hooks"] = Json::array();
    for (const firewall::Hook hook : rule.hooks) {
      json["hooks"].push_back(Name(hook));
    }
    json["narrow"] = rule.narrow;
    json["packets"] = rule.drops ? Json(rule.drops->packets) : Json(nullptr);
    if (details == Details::kShow) {
      json["text"] = rule.text;
    }
    rules.push_back(std::move(json));
  }
  Json policies = Json::array();
  for (const firewall::analysis::PolicyDrop& policy : firewall.policy_drops) {
    if (policies.size() == kMostRules) {
      break;
    }
    Json json = RuleJson(policy.location);
    json["hook"] = Name(policy.hook);
    json["packets"] = policy.drops ? Json(policy.drops->packets) : Json(nullptr);
    policies.push_back(std::move(json));
  }
  return Json{{"invalid_drop_rules", rules},
              {"invalid_drop_rules_not_listed", NotListed(firewall.invalid_drops.size(), kMostRules)},
              {"drop_policies", policies},
              {"drop_policies_not_listed", NotListed(firewall.policy_drops.size(), kMostRules)},
              {"flowtables", FlowtablesJson(firewall.ruleset != nullptr ? FlowtablesOf(*firewall.ruleset)
                                                                        : std::vector<firewall::FlowtableInTable>())}};
}

Json SysctlJson(const sources::SysctlSample& sysctl) {
  Json timeouts;
  for (std::size_t i = 0; i < sources::kConntrackTcpTimeoutNames.size(); ++i) {
    const auto& seconds = sysctl.conntrack_tcp_timeouts[i];
    timeouts[std::string(sources::kConntrackTcpTimeoutNames[i])] = seconds ? Json(seconds->count()) : Json(nullptr);
  }
  const auto seconds = [](const std::optional<std::chrono::seconds>& value) {
    return value ? Json(value->count()) : Json(nullptr);
  };
  return Json{{"conntrack_tcp_timeout_seconds", timeouts},
              {"conntrack_tcp_loose", OrNull(sysctl.conntrack_tcp_loose)},
              {"conntrack_tcp_be_liberal", OrNull(sysctl.conntrack_tcp_be_liberal)},
              {"tcp_keepalive_time_seconds", seconds(sysctl.tcp_keepalive_time)},
              {"tcp_keepalive_interval_seconds", seconds(sysctl.tcp_keepalive_interval)},
              {"tcp_keepalive_probes", OrNull(sysctl.tcp_keepalive_probes)},
              {"tcp_orphan_retries", OrNull(sysctl.tcp_orphan_retries)}};
}

Json NamespacesJson(const sources::NetworkNamespacesSample& others) {
  return Json{{"observed", others.observed},
              {"entered", others.entered},
              {"unavailable", std::ranges::count_if(others.namespaces, &sources::OtherNamespace::unavailable)},
              {"unseen", others.unseen},
              {"processes", others.processes_elsewhere},
              {"unreadable_processes", others.unreadable},
              {"complete", others.limit == kernel::namespaces::CensusLimit::kNone}};
}

Json StatementsJson(const std::vector<report::Statement>& statements, Details details) {
  Json json = Json::array();
  for (const report::Statement& statement : statements) {
    Json one = {{"text", statement.Text(details == Details::kShow)}};
    if (!statement.id.empty()) {
      one["id"] = statement.id;
      const std::string& command = statement.Command(details == Details::kShow);
      one["command"] = command.empty() ? Json(nullptr) : Json(command);
    }
    if (details == Details::kShow && !statement.detail.empty()) {
      one["detail"] = statement.detail;
    }
    json.push_back(std::move(one));
  }
  return json;
}

Json ExplanationJson(const report::Explanation& explanation, Details details) {
  return Json{{"stuck", StatementsJson(explanation.stuck, details)},
              {"would_stick", StatementsJson(explanation.would_stick, details)},
              {"owners", StatementsJson(explanation.owners, details)},
              {"why", StatementsJson(explanation.why, details)},
              {"what_to_do", StatementsJson(explanation.what_to_do, details)},
              {"timeouts", StatementsJson(explanation.timeouts, details)},
              {"will_not_help", StatementsJson(explanation.will_not_help, details)},
              {"cannot_see", StatementsJson(explanation.cannot_see, details)}};
}

Json CollectorsJson(const scheduling::Snapshot& snapshot) {
  Json collectors = Json::array();
  for (const scheduling::CollectorStatus& status : snapshot.collectors) {
    Json errors = Json::array();
    for (const Error& error : status.errors) {
      errors.push_back({{"reason", Name(error.reason)}, {"message", error.message}});
    }
    collectors.push_back({{"name", status.info->name},
                          {"success", status.Succeeded()},
                          {"duration_seconds", std::chrono::duration<double>(status.duration).count()},
                          {"interval_seconds", std::chrono::duration<double>(status.interval).count()},
                          {"last_success", status.last_success ? Json(Rfc3339(*status.last_success)) : Json(nullptr)},
                          {"errors", errors}});
  }
  return collectors;
}

}  // namespace

std::string ReportJson(const report::Report& report, Details details) {
  const diagnosis::Diagnosis& diagnosis = *report.diagnosis;
  const scheduling::Snapshot& snapshot = *diagnosis.snapshot;
  const auto* firewall = snapshot.Find<sources::FirewallSample>();
  const auto* sysctl = snapshot.Find<sources::SysctlSample>();
  const auto* namespaces = snapshot.Find<sources::NetworkNamespacesSample>();
  Json json = {{"version", FINWAIT_VERSION},
               {"time", Rfc3339(diagnosis.at)},
               {"network_namespace", snapshot.network_namespace.inode},
               {"verdict", VerdictJson(report)},
               {"risk_factors", FactorsJson(diagnosis.risk.factors)},
               {"last_evidence", diagnosis.last_evidence ? Json(Rfc3339(*diagnosis.last_evidence)) : Json(nullptr)},
               {"stuck", diagnosis.stuck ? StuckJson(*diagnosis.stuck, report.drop_sites, details) : Json(nullptr)},
               {"owners", OwnersJson(diagnosis.owners)},
               {"owners_not_listed", NotListed(diagnosis.owners.size(), kMostSocketsInJson)},
               {"live", diagnosis.live ? LiveJson(*diagnosis.live, report.drop_sites, details) : Json(nullptr)},
               {"idle", diagnosis.idle ? IdleJson(*diagnosis.idle) : Json(nullptr)},
               {"firewall", firewall != nullptr ? FirewallJson(*firewall, details) : Json(nullptr)},
               {"sysctl", sysctl != nullptr ? SysctlJson(*sysctl) : Json(nullptr)},
               {"resets_lost", diagnosis.resets_lost},
               {"witness", WitnessJson(diagnosis, details)},
               {"other_network_namespaces", namespaces != nullptr ? NamespacesJson(*namespaces) : Json(nullptr)},
               {"explanation", ExplanationJson(report.explanation, details)},
               {"collectors", CollectorsJson(snapshot)}};
  return JsonText(json);
}

std::string ReportJson(const report::Report& report, const planning::HostReport& host) {
  std::string text = ReportJson(report, Details::kShow);
  // A line for each of thousands of numbers helps nobody.
  const std::size_t end = text.rfind("\n}");
  text.insert(end, ",\n  \"host\": " +
                       planning::HostJson(host).dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace));
  return text;
}

std::string HealthJson(const report::Report& report) { return JsonText(VerdictJson(report)); }

}  // namespace finwait::views
