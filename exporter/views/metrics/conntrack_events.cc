#include "collectors/sources/conntrack_events.h"

#include "exporter/views/metrics/families.h"
#include "exporter/views/metrics/family.h"

namespace finwait::views::metrics {

void AppendConntrackEvents(const scheduling::Snapshot& snapshot, Families& families) {
  const auto* sample = snapshot.Find<sources::ConntrackEventsSample>();
  if (sample == nullptr) {
    return;
  }
  Family expired = Family::Counter(
      "conntrack_expired_total",
      "TCP entries that timed out in a live state, deletions and flushes left out (ctnetlink DESTROY events, up to a "
      "minute late). Under nf_conntrack_events=2 only of connections that began while the exporter ran.");
  for (std::size_t state = 0; state < std::size(kernel::kLiveConntrackStates); ++state) {
    for (const kernel::ExpiryScope scope : kernel::kExpiryScopes) {
      expired.Add({{"state", Name(kernel::kLiveConntrackStates[state])}, {"scope", Name(scope)}},
                  static_cast<double>(sample->counts.expired[state][static_cast<std::size_t>(scope)]));
    }
  }
  expired.AppendTo(families);
  Family::Counter(
      "conntrack_events_lost_total",
      "How often some expiries were lost, any number each time: the event socket overran (ENOBUFS), listening "
      "failed, or it paused.")
      .Add({}, static_cast<double>(sample->counts.losses))
      .AppendTo(families);
  Family::Counter("conntrack_events_paused_seconds_total",
                  "How long nobody listened for expiries. From about 6500 new entries a second (ctnetlink NEW events) "
                  "the listener pauses, to stay within 2 % of a core.")
      .Add({}, std::chrono::duration<double>(sample->counts.paused).count())
      .AppendTo(families);
}

}  // namespace finwait::views::metrics
