#include "exporter/views/witness_json.h"

#include "collectors/sources/witness.h"
#include "exporter/views/rule_json.h"

namespace finwait::views {
namespace {

using Json = nlohmann::ordered_json;

Json PacketJson(const diagnosis::DroppedPacket& packet, Details details) {
  const witness::Drop& drop = packet.drop;
  constexpr const char* kEntries[] = {"none", "untracked", "present"};
  Json json = {{"family", Name(drop.source.address.Family())},
               {"packet", Name(drop.packet)},
               {"place", Name(drop.place)},
               {"incoming", drop.incoming},
               {"reason", Name(drop.reason_class)},
               {"kernel_reason", drop.reason},
               {"kernel_code", drop.kernel_code},
               {"entry", kEntries[static_cast<std::size_t>(drop.entry)]},
               {"evaluated", packet.evaluated ? Json(Name(*packet.evaluated)) : Json(nullptr)},
               {"hangs_on", packet.reason},
               {"owner", packet.owner != nullptr ? Json(packet.owner->Text()) : Json(nullptr)},
               {"rule", packet.site != nullptr ? RuleJson(packet.site->rule) : Json(nullptr)}};
  if (details == Details::kShow) {
    json["local"] = packet.local.Text();
    json["peer"] = packet.peer.Text();
    json["rule_text"] = packet.site != nullptr ? Json(packet.site->rule_text) : Json(nullptr);
  }
  return json;
}

Json PacketsJson(const std::vector<std::shared_ptr<const diagnosis::DroppedPacket>>& packets, Details details) {
  Json json = Json::array();
  for (const auto& packet : packets) {
    json.push_back(PacketJson(*packet, details));
  }
  return json;
}

}  // namespace

Json WitnessJson(const diagnosis::Diagnosis& diagnosis, Details details) {
  const auto* sample = diagnosis.snapshot->Find<sources::WitnessSample>();
  if (sample == nullptr || !diagnosis.witness) {
    return nullptr;
  }
  return Json{{"lost_events", sample->lost_events},
              {"disagreements", diagnosis.witness->disagreements},
              {"newest_disagreements", PacketsJson(diagnosis.witness->newest_disagreements, details)},
              {"resets", PacketsJson(diagnosis.witness->resets, details)},
              {"peer_fins", PacketsJson(diagnosis.witness->peer_fins, details)}};
}

void AddProof(const diagnosis::StuckSocket& stuck, Json& socket) {
  socket["proven_by"] = stuck.cause ? Json(Name(ProofOf(stuck))) : Json(nullptr);
  socket["kernel_reason"] = stuck.observed != nullptr ? Json(stuck.observed->drop.reason) : Json(nullptr);
  socket["kernel_code"] = stuck.observed != nullptr ? Json(stuck.observed->drop.kernel_code) : Json(nullptr);
}

}  // namespace finwait::views
