#include "exporter/views/close.h"

#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "collectors/base/text.h"
#include "collectors/firewall/model/rule_id.h"
#include "exporter/report/fate_text.h"
#include "exporter/views/json_text.h"
#include "exporter/views/rule_json.h"

namespace finwait::views {
namespace {

using Json = nlohmann::ordered_json;

Json TextOrNull(std::string_view text) { return text.empty() ? Json(nullptr) : Json(text); }

// Every field is always there; null where nothing fills it.
Json PacketJson(const report::PacketReport& packet) {
  Json json = {{"verdict", packet.verdict}, {"state", TextOrNull(packet.state)}, {"hook", TextOrNull(packet.hook)}};
  json.update(RuleJson(packet.rule));
  json["text"] = packet.text;
  json["reason"] = packet.reason;
  return json;
}

// The namespaces that its packets pass, in the order that the FIN meets them. Of the first nothing is known here: its
// packets are null.
Json PassageJson(const report::CloseReport& report) {
  Json own = {{"namespace", "local"}, {"passage", "output"}};
  Json host = {{"namespace", "host"}, {"passage", report::Name(*report.passage)}};
  for (const report::PacketReport& packet : report.packets) {
    own[std::string(packet.name)] = nullptr;
    host[std::string(packet.name)] = PacketJson(packet);
  }
  return Json::array({std::move(own), std::move(host)});
}

std::string OpenerText(const report::CloseReport& report) {
  if (!report.taken_to_be_opened_by) {
    return "";
  }
  const bool local = *report.taken_to_be_opened_by == firewall::eval::OpenedBy::kLocal;
  return std::string("Its ") + (local ? "local end" : "peer") +
         " is taken to have opened it, as it has a client's port.\n";
}

std::string FlowtablesText(const report::CloseReport& report) {
  std::string text;
  for (const firewall::FlowtableInTable& one : report.flowtables) {
    text += "While it has its entry, its packets may pass the rules by: " + Printable(Describe(one)) +
            ". Without the entry they do not.\n";
  }
  return text;
}

const char* Verdict(diagnosis::Fate fate) {
  return fate == diagnosis::Fate::kClean ? "CLEAN" : fate == diagnosis::Fate::kUnknown ? "UNKNOWN" : "NOT CLEAN";
}

}  // namespace

std::string CloseText(const report::CloseReport& report) {
  constexpr std::size_t kNameWidth = 10;
  const std::string indent(kNameWidth + 2, ' ');
  std::ostringstream out;
  out << Verdict(report.fate) << " (" << Name(report.fate) << "): "
      << (report.with_entry ? "whether its conntrack entry is there or not, " : "once its conntrack entry is gone, ")
      << report::Sentence(report.fate) << (report.reason.empty() ? "" : ": " + Printable(report.reason)) << ".\n";
  out << "It has "
      << (!report.tracked   ? "an entry or not: that cannot be asked"
          : *report.tracked ? "an entry now"
                            : "no entry now")
      << ". " << report::Sentence(report.path) << "\n"
      << (report.passage ? "Its packets come through this host: " + std::string(report::Name(*report.passage)) + ".\n"
                         : "")
      << OpenerText(report) << FlowtablesText(report)
      << (report.entry.empty() ? "" : "\n  " + Printable(report.entry) + "\n") << "\n";
  for (const report::PacketReport& packet : report.packets) {
    out << "  " << packet.name << std::string(kNameWidth - packet.name.size(), ' ') << packet.verdict;
    if (!packet.state.empty()) {
      out << " as " << packet.state;
    }
    if (!packet.hook.empty()) {
      out << " at " << packet.hook;
    }
    if (packet.rule && !packet.passes) {
      out << " by " << Printable(Describe(*packet.rule));
      if (!packet.text.empty()) {
        out << "\n" << indent << Printable(packet.text);
      }
    }
    if (!packet.reason.empty()) {
      out << "\n" << indent << Printable(packet.reason);
    }
    out << "\n";
  }
  return out.str();
}

std::string CloseJson(const report::CloseReport& report) {
  Json json = {{"fate", Name(report.fate)}, {"tracked", report.tracked ? Json(*report.tracked) : Json(nullptr)}};
  json["entry"] = TextOrNull(report.entry);
  json["reason"] = report.reason;
  json["journey"] = report::Name(report.path);
  for (const report::PacketReport& packet : report.packets) {
    json[std::string(packet.name)] = PacketJson(packet);
  }
  if (report.passage) {
    json["taken_to_be_opened_by"] = !report.taken_to_be_opened_by                                       ? Json(nullptr)
                                    : *report.taken_to_be_opened_by == firewall::eval::OpenedBy::kLocal ? Json("local")
                                                                                                        : Json("peer");
    json["flowtables"] = FlowtablesJson(report.flowtables);
    json["hops"] = PassageJson(report);
  }
  return JsonText(json);
}

}  // namespace finwait::views
