#include "exporter/channel/answerer.h"

#include <algorithm>
#include <new>
#include <utility>
#include <variant>

#include "exporter/channel/fact_changes.h"
#include "exporter/channel/soundness.h"

namespace finwait::channel {
namespace {

using firewall::facts::Fact;
using firewall::facts::FactStore;

constexpr std::chrono::seconds kSendLimit{60};
constexpr std::chrono::hours kIdle{1};
// A server that stands still while it asks goes on later; meanwhile nobody waits for an answer.
constexpr std::chrono::seconds kQuestionLimit{60};

// The largest set of needs is some 1 MiB.
constexpr std::size_t kLongestQuestion = std::size_t{8} << 20;

bool IsWithinBounds(const HelloQuestion&) { return true; }
bool IsWithinBounds(const NextQuestion& question) { return question.claims.size() <= kMostClaims; }
bool IsWithinBounds(const FactsQuestion& question) {
  return question.needs.size() <= kMostNeeds &&
         std::all_of(question.needs.begin(), question.needs.end(),
                     [](const firewall::facts::Need& need) { return IsSound(need); });
}

Error NotOnTheList() { return {FailureReason::kError, 0, "the server asked what is not on the list of questions"}; }

}  // namespace

Error Answerer::Run() {
  connection_.LimitMessages(kLongestQuestion);
  connection_.LimitTime(kQuestionLimit);
  for (;;) {
    auto question = connection_.Receive(Deadline::After(kIdle));
    if (!question && question.error().reason == FailureReason::kTimeout) {
      continue;
    }
    if (!question) {
      return question.error();
    }
    auto answer = AnswerTo(*question);
    if (!answer) {
      return answer.error();
    }
    if (auto sent = connection_.Send(*answer, Deadline::After(kSendLimit)); !sent) {
      return sent.error();
    }
  }
}

Result<std::vector<std::byte>> Answerer::AnswerTo(const std::vector<std::byte>& bytes) {
  Question question;
  codec::Decoder decoder(bytes);
  if (!decoder.Take(question) || !decoder.IsAtEnd() ||
      !std::visit([](const auto& any) { return IsWithinBounds(any); }, question.what)) {
    return Failure(NotOnTheList());
  }
  if (question.resend_all) {
    DropSentObjects();
  }
  try {
    codec::Encoder encoder(&objects_);
    encoder.Put(objects_.TakeReleased());
    std::visit([&](const auto& any) { Answer(any, encoder); }, question.what);
    return encoder.Take();
  } catch (const std::bad_alloc&) {
    // The next answer tells everything again: what this one would have held, the other side does not have.
    DropSentObjects();
    codec::Encoder encoder;
    encoder.Put(objects_.TakeReleased());
    std::visit([&](const auto& any) { AnswerWithoutMemory(any, encoder); }, question.what);
    return encoder.Take();
  }
}

void Answerer::DropSentObjects() {
  objects_.ReleaseAll();
  snapshots_ = {};
}

void Answerer::AnswerWithoutMemory(const HelloQuestion&, codec::Encoder&) { throw std::bad_alloc(); }

void Answerer::AnswerWithoutMemory(const NextQuestion&, codec::Encoder& encoder) {
  NextAnswer answer;
  answer.claims = sources_.budget->Claims();
  answer.report = sources_.report();
  encoder.Put(answer);
}

void Answerer::AnswerWithoutMemory(const FactsQuestion& question, codec::Encoder& encoder) {
  const Error why{FailureReason::kError, 0, "the process that reads the kernel has no memory left; raise its limit"};
  encoder.Put(FactsAnswer{std::vector<Fact::Value>(question.needs.size(), Fact::Value(why))});
}

void Answerer::Answer(const HelloQuestion&, codec::Encoder& encoder) { encoder.Put(sources_.hello); }

void Answerer::Answer(const NextQuestion& question, codec::Encoder& encoder) {
  sources_.budget->SetClaimsElsewhere(question.claims);
  // The first one is what the server answers with until the kernel has been read, which begins with the second
  // question.
  if (questions_ == 1) {
    sources_.begin();
  }
  const auto snapshot = sources_.snapshots.Take(
      kLongestWait, questions_ == 0 ? std::chrono::milliseconds(0) : scheduling::SnapshotInbox::kGather);
  ++questions_;
  NextAnswer answer;
  answer.is_new = snapshot != nullptr;
  answer.changes = TakeChanges(sources_.resolver);
  answer.claims = sources_.budget->Claims();
  answer.report = sources_.report();
  encoder.Put(answer);
  if (snapshot != nullptr) {
    snapshots_.Put(*snapshot, encoder);
  }
}

void Answerer::Answer(const FactsQuestion& question, codec::Encoder& encoder) {
  FactStore store;
  firewall::facts::Needs needs;
  for (const firewall::facts::Need& need : question.needs) {
    if (auto may = sources_.may_ask(need); may) {
      needs.insert(need);
    } else {
      store.Put(need, Fact::Failed(std::move(may.error())));
    }
  }
  if (question.network_namespace == 0) {
    sources_.resolver.Resolve(needs, store);
  } else if (const auto resolver = sources_.resolver_in ? sources_.resolver_in(question.network_namespace) : nullptr) {
    resolver->Resolve(needs, store);
  } else {
    const Error gone{FailureReason::kError, 0, "that network namespace is not there, or not entered, any more"};
    for (const firewall::facts::Need& need : needs) {
      store.Put(need, Fact::Failed(gone));
    }
  }
  FactsAnswer answer;
  for (const firewall::facts::Need& need : question.needs) {
    const Fact* fact = store.Find(need);
    answer.facts.push_back(
        fact != nullptr ? fact->AsValue() : Fact::Value(Error{FailureReason::kError, 0, "it is too large to be kept"}));
  }
  encoder.Put(answer);
}

}  // namespace finwait::channel
