#include "exporter/views/close_hops.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "collectors/base/text.h"
#include "exporter/views/close.h"
#include "exporter/views/json_text.h"

namespace finwait::views {
namespace {

using Document = nlohmann::ordered_json;
using diagnosis::Fate;

constexpr Fate kByUrgency[] = {Fate::kFinDropped,  Fate::kNatLost, Fate::kAckDropped, Fate::kPeerFinDropped,
                               Fate::kPeerDecides, Fate::kUnknown, Fate::kClean};

std::ptrdiff_t RankOf(Fate fate) { return std::ranges::find(kByUrgency, fate) - std::begin(kByUrgency); }

Document Parsed(const std::string& text) { return Document::parse(text, nullptr, false); }

// The packets of one hop, as the array of hops has them.
void FillHop(const report::CloseReport& own, const Document& packets, Document& hop) {
  for (const report::PacketReport& packet : own.packets) {
    const std::string name(packet.name);
    hop[name] = packets.contains(name) ? packets[name] : Document(nullptr);
  }
}

}  // namespace

Fate HostHop::Fate() const {
  const Document document = Parsed(json);
  if (document.is_object() && document.contains("fate")) {
    for (const diagnosis::Fate fate : kByUrgency) {
      if (document["fate"] == Name(fate)) {
        return fate;
      }
    }
  }
  return diagnosis::Fate::kUnknown;
}

std::string EncodeHop(const report::CloseReport& report) {
  return Document({{"json", CloseJson(report)}, {"text", CloseText(report)}})
      .dump(-1, ' ', true, Document::error_handler_t::replace);
}

HostHop DecodeHop(const std::string& encoded) {
  const Document document = Parsed(encoded);
  if (!document.is_object() || !document.contains("json") || !document["json"].is_string() ||
      !document.contains("text") || !document["text"].is_string()) {
    return {"{}", "What this host does to its packets cannot be told.\n"};
  }
  return {document["json"].get<std::string>(), document["text"].get<std::string>()};
}

bool HostDecides(Fate own, Fate host) {
  // What this host does to a FIN that has not been translated before is the lost translation's doing.
  return own != Fate::kNatLost && RankOf(host) < RankOf(own);
}

std::string HopsText(const report::CloseReport& own, const HostHop& host, const std::string& where) {
  const std::string here = "In its own network namespace, of " + Printable(where) + ":\n";
  if (!host.Passes()) {
    return CloseText(own) + "\n" + here.substr(0, here.size() - 2) +
           ". No device of this host leads to that namespace: what its packets pass beyond it is not looked at.\n";
  }
  const std::string own_text = here + CloseText(own);
  const std::string host_text = "On the way through this host:\n" + host.text;
  return HostDecides(own.fate, host.Fate()) ? host_text + "\n" + own_text : own_text + "\n" + host_text;
}

std::string HopsJson(const report::CloseReport& own, const HostHop& host) {
  const Document own_hop = Parsed(CloseJson(own));
  if (!host.Passes()) {
    return JsonText(own_hop);
  }
  const Document host_hop = Parsed(host.json);
  const bool host_decides = HostDecides(own.fate, host.Fate());
  Document joined = host_decides && host_hop.contains("fin") ? host_hop : own_hop;
  if (host_decides && !host_hop.contains("fin")) {
    joined["fate"] = Name(diagnosis::Fate::kUnknown);
    joined["reason"] = "what this host does to its packets";
  }
  Document first = {{"namespace", "local"}, {"passage", "output"}};
  Document second = {{"namespace", "host"}, {"passage", nullptr}};
  if (host_hop.contains("hops") && host_hop["hops"].is_array() && host_hop["hops"].size() == 2) {
    second["passage"] = host_hop["hops"][1].value("passage", "");
  }
  FillHop(own, own_hop, first);
  FillHop(own, host_hop, second);
  if (host_hop.contains("flowtables")) {
    joined["flowtables"] = host_hop["flowtables"];
  }
  joined["hops"] = Document::array({std::move(first), std::move(second)});
  return JsonText(joined);
}

}  // namespace finwait::views
