#include "exporter/pairs/report.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <tuple>

#include "collectors/base/text.h"
#include "exporter/report/report_text.h"
#include "exporter/views/exposition.h"
#include "exporter/views/metrics/family.h"

namespace finwait::pairs {
namespace {

using Json = nlohmann::ordered_json;

// Halves that differ in nothing but their age.
struct Group {
  const AbandonedHalf* oldest = nullptr;
  std::uint64_t halves = 0;
};

std::vector<Group> GroupsOf(const std::vector<AbandonedHalf>& halves) {
  using Key = std::tuple<std::string, std::uint16_t, std::string, std::string, std::string,
                         std::optional<diagnosis::Cause>, std::string>;
  std::map<Key, std::size_t> positions;
  std::vector<Group> groups;
  for (const AbandonedHalf& half : halves) {
    const Key key(half.server, half.port, half.owner, half.closed_by, half.made_by, half.cause,
                  half.rule ? half.rule->json : "");
    const auto [position, is_new] = positions.try_emplace(key, groups.size());
    if (is_new) {
      groups.push_back({&half, 0});
    }
    ++groups[position->second].halves;
  }
  std::ranges::stable_sort(groups, std::greater<>(), &Group::halves);
  return groups;
}

// Who lost the close of a half.
std::string MakerText(const AbandonedHalf& half) {
  const std::string cause = half.cause ? " (" + std::string(Name(*half.cause)) + ")" : "";
  if (half.made_by.empty()) {
    return "neither host has a rule that did it" + cause +
           ": a device between them, or a host that was gone at the time";
  }
  if (!half.rule) {
    return "by " + Printable(half.made_by) + cause +
           (half.cause == diagnosis::Cause::kNatLost ? ": its NAT had forgotten the connection" : "");
  }
  return "by " + Printable(half.made_by) + cause + ": " + Printable(half.rule->text);
}

void Show(const Group& group, std::ostringstream& out) {
  const AbandonedHalf& half = *group.oldest;
  out << "\n" << Printable(half.server) << ", port " << half.port;
  if (!half.owner.empty()) {
    out << ", " << Printable(half.owner);
  }
  out << ": " << Counted(group.halves, "half", "halves") << ", abandoned for " << (group.halves > 1 ? "up to " : "")
      << report::Lasting(half.age_seconds) << "\n";
  out << "  closed by " << Printable(half.closed_by) << "\n";
  out << "  lost " << MakerText(half) << "\n";
}

Json HalfJson(const AbandonedHalf& half) {
  return {{"server", half.server},
          {"port", half.port},
          {"owner", half.owner.empty() ? Json(nullptr) : Json(half.owner)},
          {"age_seconds", half.age_seconds},
          {"silent_seconds", half.silent_seconds ? Json(*half.silent_seconds) : Json(nullptr)},
          {"closed_by", half.closed_by},
          {"cause", half.cause ? Json(Name(*half.cause)) : Json(nullptr)},
          {"made_by", half.made_by.empty() ? Json(nullptr) : Json(half.made_by)},
          {"rule", half.rule ? Json::parse(half.rule->json, nullptr, false) : Json(nullptr)}};
}

}  // namespace

std::string PairsText(const FleetAnswers& answers) {
  const Pairs& pairs = answers.pairs;
  std::ostringstream out;
  if (pairs.halves.empty()) {
    out << "No abandoned half was found.\n";
  } else {
    out << Counted(pairs.halves.size(), "half of a connection is", "halves of connections are")
        << " abandoned: the other host has closed, and could not tell.\n";
  }
  constexpr std::size_t kMostGroups = 100;
  const std::vector<Group> groups = GroupsOf(pairs.halves);
  for (std::size_t i = 0; i < std::min(groups.size(), kMostGroups); ++i) {
    Show(groups[i], out);
  }
  if (groups.size() > kMostGroups) {
    out << "\n... and more, on other ports and hosts; --format=json has all.\n";
  }
  if (pairs.unclear > 0) {
    out << "\nOf " << Counted(pairs.unclear, "lost half", "lost halves")
        << " it cannot be told which live one is the other, or whether it still is.\n";
  }
  if (const std::uint64_t told = pairs.halves.size() + pairs.unclear; pairs.lost > told) {
    out << "\nOf " << Counted(pairs.lost - told, "lost half", "lost halves")
        << " no live other end was found: it has ended, is on a host that was not asked, or behind a NAT of neither "
           "host.\n";
  }
  out << "\nCompared " << Counted(pairs.lost, "lost half", "lost halves") << " with "
      << Counted(pairs.live, "live one", "live ones") << " on "
      << Counted(answers.hosts - answers.silent.size(), "host", "hosts") << ".\n";
  if (!answers.silent.empty()) {
    out << "Not known: what " << Counted(answers.silent.size(), "host has", "hosts have") << ".\n";
  }
  for (const SilentHost& silent : answers.silent) {
    out << "  " << Printable(silent.name) << ": " << Printable(silent.problem) << "\n";
  }
  if (!pairs.without_passages.empty()) {
    out << "Not known: what passes the NAT of " << Counted(pairs.without_passages.size(), "host", "hosts")
        << ", as all together tell of more than " << Join::kMostPassages
        << " connections. Ask fewer gateways at once.\n";
  }
  for (const std::string& host : pairs.without_passages) {
    out << "  " << Printable(host) << "\n";
  }
  return out.str();
}

std::string PairsJson(const FleetAnswers& answers) {
  const Pairs& pairs = answers.pairs;
  Json silent = Json::array();
  for (const SilentHost& host : answers.silent) {
    silent.push_back({{"host", host.name}, {"problem", host.problem}});
  }
  const Json json = {{"version", FINWAIT_VERSION}, {"hosts", answers.hosts},
                     {"hosts_not_known", silent},  {"nat_not_known", pairs.without_passages},
                     {"lost_halves", pairs.lost},  {"live_halves", pairs.live},
                     {"unclear", pairs.unclear}};
  // One after the other: there may be a hundred thousand.
  std::string text = json.dump(2, ' ', false, Json::error_handler_t::replace);
  text.resize(text.find_last_not_of("}\n") + 1);
  text += ",\n  \"abandoned_halves\": [";
  for (std::size_t i = 0; i < pairs.halves.size(); ++i) {
    text += i == 0 ? "\n    " : ",\n    ";
    text += HalfJson(pairs.halves[i]).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  text += pairs.halves.empty() ? "]\n}\n" : "\n  ]\n}\n";
  return text;
}

std::string PairsMetrics(const FleetAnswers& answers) {
  using views::metrics::Family;
  std::map<std::pair<std::string, std::string>, std::uint64_t> by_server;
  double oldest = 0;
  for (const AbandonedHalf& half : answers.pairs.halves) {
    ++by_server[{half.server, half.made_by.empty() ? "unknown" : half.made_by}];
    oldest = std::max(oldest, half.age_seconds);
  }
  std::vector<std::pair<std::pair<std::string, std::string>, std::uint64_t>> worst(by_server.begin(), by_server.end());
  std::ranges::stable_sort(worst, std::greater<>(), &decltype(worst)::value_type::second);
  Family halves = Family::Gauge(
      "pairs_abandoned_halves",
      "Live sockets whose other end is closed and could not tell, by who has them and who lost the close. "
      "From the live sockets of one host and the stuck ones of another (sock_diag). The servers with few are other.");
  double others = 0;
  for (std::size_t i = 0; i < worst.size(); ++i) {
    if (i < kMostSeries) {
      halves.Add({{"server", worst[i].first.first}, {"made_by", worst[i].first.second}},
                 static_cast<double>(worst[i].second));
    } else {
      others += static_cast<double>(worst[i].second);
    }
  }
  halves.Add({{"server", "other"}, {"made_by", "other"}}, others);
  std::vector<prometheus::MetricFamily> families;
  halves.AppendTo(families);
  Family::Gauge("pairs_oldest_half_seconds", "For how long the longest abandoned of them has been; 0 where none is.")
      .Add({}, oldest)
      .AppendTo(families);
  Family::Gauge("pairs_unclear_halves",
                "Stuck sockets of which it cannot be told which live socket is the other end, or whether it still is.")
      .Add({}, static_cast<double>(answers.pairs.unclear))
      .AppendTo(families);
  Family::Gauge("pairs_hosts", "Exporters that were asked for their halves, by whether they answered.")
      .Add({{"answered", "true"}}, static_cast<double>(answers.hosts - answers.silent.size()))
      .Add({{"answered", "false"}}, static_cast<double>(answers.silent.size()))
      .AppendTo(families);
  return views::RenderFamilies(families, views::ExpositionFormat::kText);
}

int ExitCode(const FleetAnswers& answers) {
  if (!answers.pairs.halves.empty()) {
    return 1;
  }
  return answers.silent.empty() && answers.pairs.without_passages.empty() ? 0 : 3;
}

}  // namespace finwait::pairs
