#include "collectors/sources/witness.h"

#include "exporter/views/metrics/families.h"
#include "exporter/views/metrics/family.h"

namespace finwait::views::metrics {

void AppendWitness(const diagnosis::Diagnosis& diagnosis, Families& families) {
  const auto* sample = diagnosis.snapshot->Find<sources::WitnessSample>();
  if (sample == nullptr) {
    return;
  }
  Family packets = Family::Counter("witness_packets_total",
                                   "TCP packets with FIN or RST of this network namespace that the kernel dropped, by "
                                   "its own word (skb:kfree_skb, enum skb_drop_reason).");
  for (const witness::ClosingPacket packet : witness::kClosingPackets) {
    for (const witness::Place place : witness::kPlaces) {
      for (const witness::ReasonClass reason : witness::kReasonClasses) {
        packets.Add({{"packet", Name(packet)}, {"place", Name(place)}, {"reason", Name(reason)}},
                    static_cast<double>(sample->packets[static_cast<std::size_t>(packet)][static_cast<std::size_t>(
                        place)][static_cast<std::size_t>(reason)]));
      }
    }
  }
  packets.AppendTo(families);
  Family lost = Family::Counter("witness_lost_events_total",
                                "Packets of finwait_witness_packets_total of which nothing but their number is known: "
                                "more than 1,000 a second, or no room (BPF ring buffer, pipe).");
  lost.Add({}, static_cast<double>(sample->lost_events));
  lost.AppendTo(families);
  if (diagnosis.witness) {
    Family disagreements = Family::Counter("witness_disagreements_total",
                                           "FINs that netfilter dropped (finwait_witness_packets_total) and that the "
                                           "rules, as this program evaluates them, let pass: 0, or a fault of ours.");
    disagreements.Add({}, static_cast<double>(diagnosis.witness->disagreements));
    disagreements.AppendTo(families);
  }
}

}  // namespace finwait::views::metrics
