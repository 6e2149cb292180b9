#include "exporter/channel/reader_client.h"

#include <algorithm>
#include <new>
#include <utility>

#include "exporter/channel/soundness.h"

namespace finwait::channel {
namespace {

using firewall::facts::Fact;

constexpr std::size_t kMostRefused = 1024;

Error Lie() {
  return {FailureReason::kError, 0, "the process that reads the kernel sent what is no answer, and is asked no more"};
}

bool IsSound(const process::ProcessReport& report) { return report.refused.size() <= kMostRefused; }

}  // namespace

Failure ReaderClient::Gone(Error why) {
  gone_ = std::move(why);
  gone_->reason = FailureReason::kError;
  connection_.Shutdown();
  {
    // What it used up counts on, what it had is no more.
    const std::lock_guard lock(mutex_);
    if (report_.usage) {
      process::Usage used;
      used.cpu_seconds = report_.usage->cpu_seconds;
      used.memory_bytes = 0;
      report_.usage = used;
    }
  }
  return Failure(*gone_);
}

Result<void> ReaderClient::Ask(Question question, Asked asked, Deadline deadline) {
  if (gone_) {
    return Failure(*gone_);
  }
  if (asked_ != Asked::kNothing) {
    if (auto late = TakeLate(deadline); !late) {
      return late;
    }
  }
  question.resend_all = std::exchange(resend_all_, false);
  codec::Encoder encoder;
  encoder.Put(question);
  if (auto sent = connection_.Send(encoder.Bytes(), deadline); !sent) {
    return Gone(sent.error());
  }
  asked_ = asked;
  return {};
}

Result<std::vector<std::byte>> ReaderClient::Answer(Deadline deadline) {
  try {
    auto answer = connection_.Receive(deadline);
    if (!answer) {
      return answer.error().reason == FailureReason::kTimeout ? Failure(answer.error()) : Gone(answer.error());
    }
    return answer;
  } catch (const std::bad_alloc&) {
    return Gone({FailureReason::kError, 0, "there is no memory for what the process that reads the kernel sends"});
  }
}

template <typename Read>
Result<void> ReaderClient::TakeAnswer(const std::vector<std::byte>& bytes, Read read) {
  asked_ = Asked::kNothing;
  try {
    codec::Decoder decoder(bytes, &objects_);
    std::vector<codec::SentObjects::Number> released;
    if (!decoder.Take(released)) {
      return Gone(Lie());
    }
    objects_.Release(released);
    return read(decoder) && decoder.IsAtEnd() ? Result<void>() : Gone(Lie());
  } catch (const std::bad_alloc&) {
    objects_ = {};
    resend_all_ = true;
    return Fail(FailureReason::kError, "there is no memory for what the process that reads the kernel tells");
  }
}

Result<void> ReaderClient::TakeLate(Deadline deadline) {
  auto bytes = Answer(deadline);
  if (!bytes) {
    return Failure(bytes.error());
  }
  if (asked_ == Asked::kNext) {
    return TakeNext(*bytes);
  }
  FactsAnswer unwanted;
  return TakeFacts(*bytes, unwanted);
}

Result<HelloAnswer> ReaderClient::Hello(Deadline deadline) {
  HelloAnswer answer;
  auto asked = Ask({false, HelloQuestion()}, Asked::kHello, deadline);
  if (!asked) {
    return Failure(asked.error());
  }
  auto bytes = Answer(deadline);
  if (!bytes) {
    return Gone(bytes.error());
  }
  if (auto taken = TakeAnswer(*bytes, [&](codec::Decoder& decoder) { return decoder.Take(answer); }); !taken) {
    return Failure(taken.error());
  }
  return answer;
}

Result<void> ReaderClient::TakeNext(const std::vector<std::byte>& bytes) {
  NextAnswer answer;
  std::shared_ptr<const scheduling::Snapshot> snapshot;
  auto taken = TakeAnswer(bytes, [&](codec::Decoder& decoder) {
    if (!decoder.Take(answer) || answer.claims.size() > kMostClaims || !IsSound(answer.report)) {
      return false;
    }
    snapshot = answer.is_new ? snapshots_.Take(decoder) : nullptr;
    return answer.is_new == (snapshot != nullptr);
  });
  if (!taken) {
    return taken;
  }
  budget_->SetClaimsElsewhere(std::move(answer.claims));
  changes_.invalid = static_cast<firewall::facts::FactKinds>(changes_.invalid | answer.changes.invalid);
  changes_.settings_stale = changes_.settings_stale || answer.changes.settings_stale;
  if (snapshot != nullptr) {
    next_ = std::move(snapshot);
  }
  const std::lock_guard lock(mutex_);
  report_ = std::move(answer.report);
  return {};
}

Result<std::shared_ptr<const scheduling::Snapshot>> ReaderClient::Next(Deadline deadline) {
  if (asked_ != Asked::kNext) {
    if (auto asked = Ask({false, NextQuestion{budget_->Claims()}}, Asked::kNext, deadline); !asked) {
      return Failure(asked.error());
    }
  }
  if (next_ == nullptr) {
    auto bytes = Answer(deadline);
    if (!bytes) {
      return Failure(bytes.error());
    }
    if (auto taken = TakeNext(*bytes); !taken) {
      return Failure(taken.error());
    }
  }
  return std::exchange(next_, nullptr);
}

Result<void> ReaderClient::TakeFacts(const std::vector<std::byte>& bytes, FactsAnswer& answer) {
  return TakeAnswer(bytes, [&](codec::Decoder& decoder) {
    return decoder.Take(answer) && answer.facts.size() == needs_asked_ &&
           std::all_of(answer.facts.begin(), answer.facts.end(), [](const Fact::Value& fact) { return IsSound(fact); });
  });
}

void ReaderClient::Resolve(const firewall::facts::Needs& needs, firewall::facts::FactStore& store, Deadline deadline,
                           std::uint64_t network_namespace) {
  for (auto need = needs.begin(); need != needs.end();) {
    FactsQuestion question;
    question.network_namespace = network_namespace;
    const auto first = need;
    for (; need != needs.end() && question.needs.size() < kMostNeeds; ++need) {
      question.needs.push_back(*need);
    }
    const std::size_t count = question.needs.size();
    FactsAnswer answer;
    auto done = Ask({false, std::move(question)}, Asked::kFacts, deadline);
    if (done) {
      needs_asked_ = count;
      auto bytes = Answer(deadline);
      done = bytes ? TakeFacts(*bytes, answer) : Failure(bytes.error());
    }
    std::size_t i = 0;
    for (auto asked = first; asked != need; ++asked, ++i) {
      store.Put(*asked, done ? Fact(std::move(answer.facts[i])) : Fact::Failed(done.error()));
    }
  }
}

FactChanges ReaderClient::TakeChanges() { return std::exchange(changes_, {}); }

process::ProcessReport ReaderClient::Report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

void RemoteResolver::Resolve(const firewall::facts::Needs& needs, firewall::facts::FactStore& store) {
  client_.Resolve(needs, store, Deadline::After(kLimit), network_namespace_);
}

void RemoteResolver::TakeInChanges(firewall::facts::FactStore& store) {
  if (network_namespace_ != 0) {
    return;  // nobody listens there: its facts are asked for again with each new sample of its rules
  }
  const FactChanges changes = client_.TakeChanges();
  if (changes.invalid != 0) {
    store.Invalidate(changes.invalid);
  }
  if (changes.settings_stale) {
    store.MarkSettingsStale();
  }
}

}  // namespace finwait::channel
