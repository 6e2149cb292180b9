#include "exporter/report/witness_text.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "collectors/firewall/model/rule_id.h"
#include "exporter/report/report_text.h"

namespace finwait::report {
namespace {

using Packets = std::vector<std::shared_ptr<const diagnosis::DroppedPacket>>;

std::string DroppedBy(const diagnosis::DroppedPacket& packet) {
  if (packet.site != nullptr) {
    return Describe(packet.site->rule);
  }
  return std::string(witness::Words(packet.drop.reason_class)) + " (" + packet.drop.reason +
         (packet.drop.kernel_code.empty() ? "" : " in " + packet.drop.kernel_code) + ")";
}

// Who the newest was of, for those who may see addresses.
std::string Example(const diagnosis::DroppedPacket& packet) {
  return packet.local.Text() + " -> " + packet.peer.Text() +
         (packet.owner != nullptr ? ", " + packet.owner->Text() : "") +
         (packet.site != nullptr && !packet.site->rule_text.empty() ? ", at " + packet.site->rule_text : "");
}

// A statement for each rule, or other part of the kernel, with the newest as an example.
void AddByPlace(const Packets& packets, const char* one, const char* several, const char* consequence,
                Explanation& explanation) {
  std::map<std::string, std::pair<std::size_t, const diagnosis::DroppedPacket*>> by_place;
  for (const auto& packet : packets) {
    auto& [number, newest] = by_place[DroppedBy(*packet)];
    ++number;
    newest = packet.get();
  }
  for (const auto& [place, seen] : by_place) {
    explanation.why.push_back({"The kernel dropped " + Counted(seen.first, one, several) + ", by its own word: at " +
                                   place + ". " + consequence,
                               Example(*seen.second), "", "witnessed"});
  }
}

}  // namespace

void DescribeWitness(const diagnosis::Diagnosis& diagnosis, Explanation& explanation) {
  if (!diagnosis.witness) {
    return;
  }
  if (diagnosis.stuck) {
    Packets errors;
    for (const diagnosis::StuckSocket& one : diagnosis.stuck->sockets) {
      if (one.cause == diagnosis::Cause::kLocalError && one.observed != nullptr) {
        errors.push_back(one.observed);
      }
    }
    AddByPlace(errors, "stuck socket's FIN", "stuck sockets' FINs", "That is why they never left (local_error).",
               explanation);
  }
  AddByPlace(diagnosis.witness->resets, "reset of a closed connection", "resets of closed connections",
             "No socket is left here, and the peer keeps its end.", explanation);
  AddByPlace(diagnosis.witness->peer_fins, "FIN of a peer", "FINs of peers",
             "The peer has closed, and this end does not know.", explanation);
  if (diagnosis.witness->disagreements > 0) {
    explanation.why.push_back(
        {"Netfilter dropped " + Counted(diagnosis.witness->disagreements, "FIN", "FINs") +
             " that the rules let pass as this program evaluates them. It is a fault of this program's, or a BPF "
             "program "
             "drops, which no list of rules shows. Please report it, with what /api/v1/report?format=bug answers.",
         diagnosis.witness->newest_disagreements.empty() ? ""
                                                         : Example(*diagnosis.witness->newest_disagreements.back()),
         "", "disagreement"});
  }
}

}  // namespace finwait::report
