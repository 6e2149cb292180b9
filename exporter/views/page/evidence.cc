#include <cmath>
#include <numeric>

#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/sysctl.h"
#include "exporter/views/page/charts.h"
#include "exporter/views/page/html.h"
#include "exporter/views/page/sections.h"

namespace finwait::views::page {
namespace {

std::optional<double> InSeconds(const std::optional<std::chrono::seconds>& time) {
  return time ? std::optional(static_cast<double>(time->count())) : std::nullopt;
}

// The timeout that ends an entry of each of kLiveConntrackStates.
std::optional<double> TimeoutOf(const sources::SysctlSample* sysctl, std::size_t live_state) {
  return sysctl != nullptr ? InSeconds(diagnosis::TimeoutOf(kernel::kLiveConntrackStates[live_state], *sysctl))
                           : std::nullopt;
}

std::string Open(const char* id, const char* title, const char* about) {
  return std::string("<section id=\"") + id + "\" aria-labelledby=\"" + id + "-title\"><h2 id=\"" + id + "-title\">" +
         title + "</h2>\n<p class=\"about\">" + about + "</p>\n";
}

constexpr const char* kCannotTell = "<p class=\"fine\">Cannot tell: this cannot be read.</p>\n</section>\n";

std::string FactorRow(const char* name, const char* meaning, const std::optional<double>& factor) {
  return std::string("<tr><th scope=\"row\">") + meaning + " <span class=\"unseen\">(" + name + ")</span></th><td>" +
         (factor ? charts::ShareBar(*factor) : "") + "</td><td class=\"figure\">" +
         (factor ? html::Percent(*factor) : "cannot tell") + "</td></tr>\n";
}

std::string TimeoutRow(std::string_view name, const std::optional<double>& seconds,
                       const std::optional<double>& keepalive) {
  const bool early = seconds && keepalive && *seconds <= *keepalive;
  return "<tr><th scope=\"row\">" + std::string(name) + "</th><td>" +
         (seconds ? charts::TimeoutBar(*seconds, keepalive) : "") + "</td><td class=\"figure\">" +
         (seconds ? html::Duration(*seconds) : "cannot tell") +
         (early ? "<span class=\"unseen\">, sooner than the first keepalive</span>" : "") + "</td></tr>\n";
}

std::string Setting(std::string_view name, const std::string& value) {
  return "<dt>" + std::string(name) + "</dt><dd>" + (value.empty() ? "not there" : value) + "</dd>\n";
}

template <typename T>
std::string OrNothing(const std::optional<T>& value) {
  return value ? std::to_string(*value) : "";
}

std::string SecondsOrNothing(const std::optional<std::chrono::seconds>& value) {
  return value ? std::to_string(value->count()) + " s" : "";
}

std::string AllSettings(const sources::SysctlSample& sysctl) {
  std::string html = "<details><summary>All settings that matter here</summary><dl class=\"settings\">\n";
  for (std::size_t i = 0; i < sources::kConntrackTcpTimeoutNames.size(); ++i) {
    html += Setting("nf_conntrack_tcp_timeout_" + std::string(sources::kConntrackTcpTimeoutNames[i]),
                    SecondsOrNothing(sysctl.conntrack_tcp_timeouts[i]));
  }
  return html + Setting("nf_conntrack_tcp_loose", OrNothing(sysctl.conntrack_tcp_loose)) +
         Setting("nf_conntrack_tcp_be_liberal", OrNothing(sysctl.conntrack_tcp_be_liberal)) +
         Setting("nf_conntrack_events", OrNothing(sysctl.conntrack_events)) +
         Setting("tcp_keepalive_time", SecondsOrNothing(sysctl.tcp_keepalive_time)) +
         Setting("tcp_keepalive_intvl", SecondsOrNothing(sysctl.tcp_keepalive_interval)) +
         Setting("tcp_keepalive_probes", OrNothing(sysctl.tcp_keepalive_probes)) +
         Setting("tcp_fin_timeout", SecondsOrNothing(sysctl.tcp_fin_timeout)) +
         Setting("tcp_orphan_retries", OrNothing(sysctl.tcp_orphan_retries)) +
         Setting("tcp_max_orphans", OrNothing(sysctl.tcp_orphans_limit)) + "</dl></details>\n";
}

// What a reader calls the packets of kPathPackets.
constexpr const char* kPacketNames[] = {"FIN, on its way out",       "RST, on its way out",
                                        "data, on its way out",      "peer's ACK, on its way in",
                                        "peer's FIN, on its way in", "FIN, forwarded"};
static_assert(std::size(kPacketNames) == std::size(diagnosis::kPathPackets));

std::string DecisionCell(firewall::eval::Disposition disposition, bool dropped_for_some) {
  if (dropped_for_some) {
    return "<td class=\"word some\"><span aria-hidden=\"true\">✕ </span>for some</td>";
  }
  switch (disposition) {
    case firewall::eval::Disposition::kAccept:
      return "<td class=\"word yes\"><span aria-hidden=\"true\">✓ </span>passes</td>";
    case firewall::eval::Disposition::kDrop:
      return "<td class=\"word no\"><span aria-hidden=\"true\">✕ </span>dropped</td>";
    case firewall::eval::Disposition::kReject:
      return "<td class=\"word no\"><span aria-hidden=\"true\">✕ </span>rejected</td>";
    case firewall::eval::Disposition::kUnknown:
      break;
  }
  return "<td class=\"word open\"><span aria-hidden=\"true\">? </span>cannot tell</td>";
}

}  // namespace

std::string FactorsSection(const diagnosis::Diagnosis& diagnosis) {
  const diagnosis::RiskFactors& factors = diagnosis.risk.factors;
  return Open("factors", "What the score is made of",
              "The stage gives the band; these shares place the host inside it.") +
         "<table class=\"charted\"><caption class=\"unseen\">Risk factors, each a share of its most</caption>"
         "<thead class=\"unseen\"><tr><th scope=\"col\">Factor</th><th scope=\"col\">Drawn</th><th scope=\"col\">Share"
         "</th></tr></thead>\n<tbody>\n" +
         FactorRow("expiring_share", "Entry ends soon", factors.expiring_share) +
         FactorRow("at_risk_share", "Would stick, share", factors.at_risk_share) +
         FactorRow("at_risk_count", "Would stick, number", factors.at_risk_count) +
         FactorRow("stuck_count", "Stuck, number", factors.stuck_count) +
         FactorRow("stuck_age", "Stuck, age", factors.stuck_age) +
         FactorRow("lost_count", "Lost in 5 minutes", factors.lost_count) + "</tbody></table>\n</section>\n";
}

std::string AgesSection(const diagnosis::Diagnosis& diagnosis) {
  std::string html = Open("ages", "How long entries have been idle",
                          "Conntrack's entries by the time since their last packet. What crosses the dashed line is "
                          "forgotten, and its connection can no longer close past a rule that drops INVALID.");
  const auto* table = diagnosis.snapshot->Find<sources::ConntrackTableSample>();
  if (table == nullptr) {
    return html + kCannotTell;
  }
  const auto* sysctl = diagnosis.snapshot->Find<sources::SysctlSample>();
  html += "<div class=\"figures\">\n";
  for (std::size_t i = 0; i < sources::ConntrackTableSample::kLiveStates; ++i) {
    const std::string state(Name(kernel::kLiveConntrackStates[i]));
    const auto& idle = table->idle[i];
    const std::uint64_t total = idle ? std::accumulate(idle->counts.begin(), idle->counts.end(), std::uint64_t{0}) : 0;
    html += "<figure><figcaption class=\"chart-title\"><h3>" + state + "</h3><span>" +
            (idle ? html::Count(total, "entry", "entries") : "the timeout cannot be read") + "</span></figcaption>" +
            (idle ? charts::IdleHistogram(state, *idle, TimeoutOf(sysctl, i)) : "") + "</figure>\n";
  }
  return html + "</div>\n</section>\n";
}

std::string SilenceSection(const report::Report& report) {
  const diagnosis::Diagnosis& diagnosis = *report.diagnosis;
  std::string html =
      Open("silence", "Is this timeout safe?",
           "Live connections that have been silent for longer than each timeout. What has that timeout, here or on the "
           "way, has forgotten them.");
  if (!diagnosis.idle) {
    return html + kCannotTell;
  }
  const diagnosis::IdleSummary& idle = *diagnosis.idle;
  html += "<div>";  // however many there are, what follows keeps its place
  for (const report::Statement& one : report.explanation.timeouts) {
    html += "<p class=\"timeout\">" + html::Escape(one.text) + "</p>\n";
  }
  html += "</div>\n<figure>" + charts::SilenceCurve(idle) +
          "</figure>\n<p class=\"about\"><span class=\"swatch all\"></span>of " +
          html::Count(idle.sockets, "live connection", "live connections") +
          " <span class=\"swatch unsaved\"></span>without a keepalive before that time</p>\n";
  if (idle.last_24_hours.largest_seconds > 0) {
    html += "<p class=\"about\">In 24 hours, the longest silence after which a connection spoke again was " +
            html::Duration(idle.last_24_hours.largest_seconds) + ".</p>\n";
  }
  return html + "</section>\n";
}

std::string TimeoutsSection(const diagnosis::Diagnosis& diagnosis) {
  std::string html =
      Open("timeouts", "When conntrack forgets", "An idle connection's entry ends after the timeout of its state.");
  const auto* sysctl = diagnosis.snapshot->Find<sources::SysctlSample>();
  if (sysctl == nullptr) {
    return html + kCannotTell;
  }
  const auto keepalive = InSeconds(sysctl->tcp_keepalive_time);
  html +=
      "<table class=\"charted\"><caption class=\"unseen\">Conntrack's timeouts by state</caption>"
      "<thead class=\"unseen\"><tr><th scope=\"col\">State</th><th scope=\"col\">Drawn</th><th scope=\"col\">Timeout"
      "</th></tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < std::size(kernel::kLiveConntrackStates); ++i) {
    html += TimeoutRow(Name(kernel::kLiveConntrackStates[i]), TimeoutOf(sysctl, i), keepalive);
  }
  html += "</tbody></table>\n";
  if (keepalive) {
    html += "<p class=\"about\"><span class=\"key\"></span>The first TCP keepalive comes after " +
            html::Duration(*keepalive) +
            ", for sockets that ask for it. It saves no entry whose timeout ends sooner.</p>\n";
  }
  return html + AllSettings(*sysctl) + "</section>\n";
}

std::string PathsSection(const report::Report& report) {
  const diagnosis::Diagnosis& diagnosis = *report.diagnosis;
  std::string html = Open("paths", "Packets without an entry",
                          "What this host's rules do to a packet whose connection conntrack has forgotten. "
                          "“For some”: it passes in general, and a narrower rule drops it for some connections.");
  if (!diagnosis.paths) {
    return html + kCannotTell;
  }
  html +=
      "<table><caption class=\"unseen\">Verdicts by packet and IP family</caption><thead><tr><th "
      "scope=\"col\">Packet</th><th scope=\"col\">IPv4</th><th scope=\"col\">IPv6</th></tr></thead>\n<tbody>\n";
  for (std::size_t packet = 0; packet < std::size(diagnosis::kPathPackets); ++packet) {
    html += std::string("<tr><th scope=\"row\">") + kPacketNames[packet] + "</th>";
    for (std::size_t family = 0; family < diagnosis.paths->size(); ++family) {
      html += DecisionCell((*diagnosis.paths)[family][packet], report.dropped_for_some[family][packet]);
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table>\n</section>\n";
}

std::string CollectorsSection(const diagnosis::Diagnosis& diagnosis) {
  std::string html = Open("collectors", "Collectors",
                          "Each reads one part of the kernel's state. What one cannot read is absent, never 0, and "
                          "named under what is not observed.");
  html +=
      "<table><caption class=\"unseen\">Collectors and how fresh they are</caption><thead><tr><th "
      "scope=\"col\">Collector</th><th scope=\"col\">State</th><th scope=\"col\" class=\"figure\">Last good</th><th "
      "scope=\"col\" class=\"figure\">Every</th></tr></thead>\n<tbody>\n";
  for (const scheduling::CollectorStatus& status : diagnosis.snapshot->collectors) {
    const char* state = !status.collected ? "<td class=\"word open\"><span aria-hidden=\"true\">… </span>not yet</td>"
                        : status.Succeeded() ? "<td class=\"word yes\"><span aria-hidden=\"true\">✓ </span>good</td>"
                        : status.data        ? "<td class=\"word no\"><span aria-hidden=\"true\">! </span>in part</td>"
                                      : "<td class=\"word no\"><span aria-hidden=\"true\">✕ </span>unavailable</td>";
    html += "<tr><th scope=\"row\">" + html::Escape(status.info->name) + "</th>" + state + "<td class=\"figure\">" +
            (status.last_success
                 ? html::Duration(std::chrono::duration<double>(diagnosis.at - *status.last_success).count()) + " ago"
                 : "never") +
            "</td><td class=\"figure\">" + html::Duration(std::chrono::duration<double>(status.interval).count()) +
            "</td></tr>\n";
  }
  return html + "</tbody></table>\n</section>\n";
}

}  // namespace finwait::views::page
