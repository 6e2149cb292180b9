// The channel between the processes, from both sides: what a reader that lies sends, and what a server that lies asks.
#include <sys/socket.h>

#include <memory>
#include <utility>
#include <variant>

#include "collectors/sources/firewall.h"
#include "exporter/channel/answerer.h"
#include "exporter/channel/messages.h"
#include "exporter/channel/reader_client.h"
#include "exporter/channel/snapshot_codec.h"
#include "exporter/channel/soundness.h"
#include "exporter/diagnosis/diagnostician.h"
#include "exporter/report/report.h"
#include "exporter/scheduling/snapshot_inbox.h"
#include "exporter/views/json.h"
#include "exporter/views/metrics/metrics.h"
#include "exporter/views/text.h"
#include "tests/fuzz/recording.h"
#include "tests/fuzz/ruleset_use.h"
#include "tests/fuzz/target.h"
#include "tests/soon.h"

namespace finwait::fuzz {
namespace {

using firewall::facts::Fact;

// Long enough for whoever has all the bytes already, or their end.
// An end of a channel on which these bytes arrive, and then its end. The other one must outlive it.
channel::Connection Hearing(std::span<const std::byte> bytes,
                            std::pair<channel::Connection, channel::Connection>& ends) {
  const int other = ends.second.Descriptor();
  (void)::send(other, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);  // what does not fit is cut off
  ::shutdown(other, SHUT_WR);
  return std::move(ends.first);
}

// The rules in a fact, as a ruleset.
firewall::Ruleset RulesetOf(const Fact::Value& fact) {
  firewall::Ruleset ruleset;
  firewall::Table table;
  table.name = "t";
  if (const auto* whole = std::get_if<std::shared_ptr<const firewall::Table>>(&fact)) {
    table = **whole;
  } else if (const auto* chain = std::get_if<std::shared_ptr<const firewall::Chain>>(&fact)) {
    table.chains.emplace((*chain)->name, *chain);
  } else if (const auto* set = std::get_if<std::shared_ptr<const firewall::Set>>(&fact)) {
    table.sets.emplace((*set)->name, *set);
  }
  ruleset.tables.push_back(std::move(table));
  return ruleset;
}

class NothingKnown : public firewall::facts::Resolver {
 public:
  void Resolve(const firewall::facts::Needs& needs, firewall::facts::FactStore& store) override {
    for (const firewall::facts::Need& need : needs) {
      store.Put(need, Fact::Absent());
    }
  }
  void TakeInChanges(firewall::facts::FactStore&) override {}
};

}  // namespace

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

void RunChannelHello(std::span<const std::byte> input) {
  codec::Decoder decoder(input);
  channel::HelloAnswer answer;
  if (!decoder.Take(answer) || !decoder.IsAtEnd()) {
    return;
  }
  codec::Encoder encoder;
  encoder.Put(answer);
  channel::HelloAnswer again;
  codec::Decoder second(encoder.Bytes());
  Require(second.Take(again) && second.IsAtEnd(), "what was understood is understood again");
  Require(again.capabilities == answer.capabilities && again.unsealed == answer.unsealed &&
              again.unfiltered == answer.unfiltered && again.why_not.has_value() == answer.why_not.has_value(),
          "and says the same");
}

// One answer after the other, each with the numbers of objects that are released.
void RunChannelFacts(std::span<const std::byte> input) {
  codec::ReceivedObjects objects;
  for (const std::vector<std::byte>& message : SplitRecording(input)) {
    codec::Decoder decoder(message, &objects);
    std::vector<codec::SentObjects::Number> released;
    channel::FactsAnswer answer;
    if (!decoder.Take(released)) {
      return;
    }
    objects.Release(released);
    if (!decoder.Take(answer) || !decoder.IsAtEnd()) {
      return;
    }
    firewall::facts::FactStore store;
    for (std::size_t i = 0; i < answer.facts.size() && channel::IsSound(answer.facts[i]); ++i) {
      UseRuleset(RulesetOf(answer.facts[i]));
      store.Put(firewall::facts::QuotaKey{std::to_string(i)}, Fact(std::move(answer.facts[i])));
    }
  }
}

void RunChannelServer(std::span<const std::byte> input) {
  auto ends = *channel::Connection::MakePair();
  channel::ReaderClient client(Hearing(input, ends), std::make_shared<CpuBudget>(1));
  if (!client.Hello(Soon())) {
    return;
  }
  diagnosis::Diagnostician diagnostician(std::make_shared<channel::RemoteResolver>(client));
  for (;;) {
    const auto snapshot = client.Next(Soon());
    if (!snapshot) {
      Require(client.IsGone(), "who lies or ends is asked no more");
      return;
    }
    if (*snapshot != nullptr) {
      (void)diagnostician.Diagnose(*snapshot, SteadyClock::now(), scheduling::WallClock::now());
    }
  }
}

void RunChannelReader(std::span<const std::byte> input) {
  auto ends = *channel::Connection::MakePair();
  scheduling::SnapshotInbox snapshots;
  snapshots.Put(std::make_shared<scheduling::Snapshot>());
  NothingKnown resolver;
  channel::Answerer answerer(
      Hearing(input, ends),
      {channel::HelloAnswer(), snapshots, resolver, std::make_shared<CpuBudget>(1),
       [](const firewall::facts::Need&) { return Result<void>(); }, [] { return process::ProcessReport(); }, [] {}});
  Require(!answerer.Run().message.empty(), "it says why it ended");
}

}  // namespace finwait::fuzz
