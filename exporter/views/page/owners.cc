#include <algorithm>

#include "collectors/sources/network_namespaces.h"
#include "exporter/report/report_text.h"
#include "exporter/views/page/html.h"
#include "exporter/views/page/sections.h"

namespace finwait::views::page {
namespace {

std::string Row(const diagnosis::OwnerCount& one) {
  const std::string figure = "<td class=\"figure\">";
  return "<tr><th scope=\"row\">" + html::Escape(report::OwnerName(one.owner)) + "</th>" + figure +
         html::Number(one.stuck_now) + "</td>" + figure + html::Number(one.stuck) + "</td>" + figure +
         html::Number(one.at_risk) + "</td></tr>\n";
}

std::string Coverage(const diagnosis::Diagnosis& diagnosis) {
  const auto* others = diagnosis.snapshot->Find<sources::NetworkNamespacesSample>();
  if (others == nullptr) {
    return "<p class=\"about after\">Cannot tell: whether there are other network namespaces cannot be read.</p>\n";
  }
  return "<p class=\"about after\">Beside this host\u2019s own, " + html::Number(others->observed) +
         " network namespace" + (others->observed == 1 ? " is" : "s are") + " observed and " +
         html::Number(others->unseen) + " not.</p>\n";
}

}  // namespace

std::string OwnersSection(const diagnosis::Diagnosis& diagnosis) {
  std::string html =
      "<section id=\"owners\" aria-labelledby=\"owners-title\"><h2 id=\"owners-title\">Whose they are</h2>\n<p "
      "class=\"about\">Sockets stuck or at risk by pod, container, unit or process, the worst first.</p>\n";
  if (diagnosis.owners.empty()) {
    html += "<p class=\"fine\">No socket is stuck or at risk.</p>\n";
  } else {
    html +=
        "<table><caption class=\"unseen\">Sockets by owner</caption><thead><tr><th scope=\"col\">Owner</th><th "
        "scope=\"col\" class=\"figure\">Stuck</th><th scope=\"col\" class=\"figure\">In the last hour</th><th "
        "scope=\"col\" class=\"figure\">At risk</th></tr></thead>\n<tbody>\n";
    const std::size_t shown = std::min(diagnosis.owners.size(), diagnosis::kMostNamedOwners);
    for (std::size_t i = 0; i < shown; ++i) {
      html += Row(diagnosis.owners[i]);
    }
    html += "</tbody></table>\n";
    if (shown < diagnosis.owners.size()) {
      html +=
          "<p class=\"fine\">" + html::Number(diagnosis.owners.size() - shown) + " more; the report lists them.</p>\n";
    }
  }
  return html + Coverage(diagnosis) + "</section>\n";
}

}  // namespace finwait::views::page
