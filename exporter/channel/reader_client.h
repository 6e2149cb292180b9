#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>

#include "collectors/firewall/facts/resolver.h"
#include "exporter/channel/connection.h"
#include "exporter/channel/messages.h"
#include "exporter/channel/snapshot_codec.h"

namespace finwait::channel {

/// The server's end of the channel: asks the reader, and believes nothing that it says without a look at every byte. An
/// answer that is none ends the channel for good. For one thread, but for what is marked.
class ReaderClient {
 public:
  /// `budget`: what the server's work claims is told to the reader, and the other way round.
  ReaderClient(Connection connection, std::shared_ptr<CpuBudget> budget)
      : connection_(std::move(connection)), budget_(std::move(budget)) {}

  /// To be asked first.
  Result<HelloAnswer> Hello(Deadline deadline);

  /// The next snapshot; null where there is nothing new. kTimeout where the reader does not answer: it can be asked
  /// again. After any other error it cannot: see IsGone().
  Result<std::shared_ptr<const scheduling::Snapshot>> Next(Deadline deadline);
  /// The last snapshot without its data, for while the reader does not answer.
  std::shared_ptr<const scheduling::Snapshot> Unavailable(const Error& why) { return snapshots_.Unavailable(why); }

  /// Puts an answer to each need into `store`, `failed` where the reader does not give one in time. Of
  /// `network_namespace`, FactsQuestion's.
  void Resolve(const firewall::facts::Needs& needs, firewall::facts::FactStore& store, Deadline deadline,
               std::uint64_t network_namespace = 0);
  /// What has changed since the last call, as the answers to Next() told.
  FactChanges TakeChanges();

  /// Whether the reader has ended, or was found to lie: it is asked no more.
  bool IsGone() const { return gone_.has_value(); }
  /// What it said of itself last. Thread-safe.
  process::ProcessReport Report() const;
  /// Ends the channel and wakes whoever waits for an answer. Thread-safe.
  void Shutdown() { connection_.Shutdown(); }

 private:
  enum class Asked : std::uint8_t { kNothing, kHello, kNext, kFacts };

  Result<void> Ask(Question question, Asked asked, Deadline deadline);
  /// The bytes of the answer that is due.
  Result<std::vector<std::byte>> Answer(Deadline deadline);
  template <typename Read>
  Result<void> TakeAnswer(const std::vector<std::byte>& bytes, Read read);
  Result<void> TakeNext(const std::vector<std::byte>& bytes);
  Result<void> TakeFacts(const std::vector<std::byte>& bytes, FactsAnswer& answer);
  /// Takes in an answer that came too late for whoever had asked.
  Result<void> TakeLate(Deadline deadline);
  Failure Gone(Error why);

  Connection connection_;
  std::shared_ptr<CpuBudget> budget_;
  codec::ReceivedObjects objects_;
  SnapshotDecoder snapshots_;
  bool resend_all_ = false;        // there was no memory for an answer: the next one has to tell everything
  Asked asked_ = Asked::kNothing;  // an answer to that is due
  std::size_t needs_asked_ = 0;
  std::shared_ptr<const scheduling::Snapshot> next_;  // received, and not given yet
  FactChanges changes_;
  std::optional<Error> gone_;
  mutable std::mutex mutex_;  // for report_
  process::ProcessReport report_;
};

/// Has the reader resolve facts. Not thread-safe, as the client is not.
class RemoteResolver : public firewall::facts::Resolver {
 public:
  /// What one Resolve() may take. The reader itself takes at most firewall::read::FactResolver::kLimit a question.
  static constexpr std::chrono::seconds kLimit{10};

  /// `client` must outlive this.
  explicit RemoteResolver(ReaderClient& client, std::uint64_t network_namespace = 0)
      : client_(client), network_namespace_(network_namespace) {}
  void Resolve(const firewall::facts::Needs& needs, firewall::facts::FactStore& store) override;
  void TakeInChanges(firewall::facts::FactStore& store) override;

 private:
  ReaderClient& client_;
  std::uint64_t network_namespace_;
};

}  // namespace finwait::channel
