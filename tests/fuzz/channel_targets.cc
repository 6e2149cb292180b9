// The channel between the processes, from both sides: what a reader that lies sends, and what a server that lies asks.
#include <memory>
#include <variant>

#include "collectors/sources/firewall.h"
#include "exporter/channel/messages.h"
#include "exporter/channel/snapshot_codec.h"
#include "exporter/diagnosis/diagnostician.h"
#include "exporter/report/report.h"
#include "exporter/views/json.h"
#include "exporter/views/metrics/metrics.h"
#include "exporter/views/text.h"
#include "tests/fuzz/recording.h"
#include "tests/fuzz/ruleset_use.h"
#include "tests/fuzz/target.h"

namespace finwait::fuzz {

// One answer after the other, each with the numbers of objects that are released; then all that the server makes of it.
void RunChannelAnswers(std::span<const std::byte> input) {
  codec::ReceivedObjects objects;
  channel::SnapshotDecoder snapshots;
  diagnosis::Diagnostician diagnostician;
  for (const std::vector<std::byte>& message : SplitRecording(input)) {
    codec::Decoder decoder(message, &objects);
    std::vector<codec::SentObjects::Number> released;
    channel::NextAnswer answer;
    if (!decoder.Take(released)) {
      return;
    }
    objects.Release(released);
    if (!decoder.Take(answer) || !answer.is_new) {
      return;
    }
    const auto snapshot = snapshots.Take(decoder);
    if (snapshot == nullptr || !decoder.IsAtEnd()) {
      return;
    }
    if (const auto* firewall = snapshot->Find<sources::FirewallSample>()) {
      UseRuleset(*firewall->ruleset);
    }
    const auto report =
        report::MakeReport(diagnostician.Diagnose(snapshot, SteadyClock::now(), scheduling::WallClock::now()));
    Require(!views::ReportJson(*report, views::Details::kShow).empty(), "there is a report");
    Require(!views::ReportText(*report).empty(), "there is a text");
    Require(!views::metrics::MetricFamilies(*report->diagnosis, false).empty(), "there are metrics");
  }
}

void RunChannelQuestion(std::span<const std::byte> input) {
  channel::Question question;
  codec::Decoder decoder(input);
  if (!decoder.Take(question) || !decoder.IsAtEnd()) {
    return;
  }
  codec::Encoder encoder;
  encoder.Put(question);
  channel::Question again;
  codec::Decoder second(encoder.Bytes());
  Require(second.Take(again) && second.IsAtEnd(), "what was understood is understood again");
  if (const auto* facts = std::get_if<channel::FactsQuestion>(&question.what)) {
    for (const firewall::facts::Need& need : facts->needs) {
      (void)firewall::facts::Describe(need);
    }
  }
}

}  // namespace finwait::fuzz
