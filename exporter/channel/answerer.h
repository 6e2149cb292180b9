#pragma once

#include <functional>
#include <memory>

#include "collectors/firewall/facts/resolver.h"
#include "exporter/channel/connection.h"
#include "exporter/channel/messages.h"
#include "exporter/channel/snapshot_codec.h"
#include "exporter/scheduling/snapshot_inbox.h"

namespace finwait::channel {

/// The reader's end of the channel: answers one question after the other. Whoever asks may be anybody who has taken
/// over the server: what is not on the list, or not within its bounds, ends the channel. Not thread-safe.
class Answerer {
 public:
  /// Everything that it answers from. References must outlive it.
  struct Sources {
    HelloAnswer hello;
    scheduling::SnapshotInbox& snapshots;
    firewall::facts::Resolver& resolver;
    std::shared_ptr<CpuBudget> budget;
    /// Why a need may not be asked for: that would change the kernel, by loading a module.
    std::function<Result<void>(const firewall::facts::Need&)> may_ask;
    std::function<process::ProcessReport()> report;
    /// Called when the server asks for the second snapshot: it listens by then.
    std::function<void()> begin;
    /// Who answers for an entered namespace; null where there is none of that number.
    std::function<std::shared_ptr<firewall::facts::Resolver>(std::uint64_t network_namespace)> resolver_in = {};
  };

  Answerer(Connection connection, Sources sources) : connection_(std::move(connection)), sources_(std::move(sources)) {}

  /// Answers until the server is gone or asks what it may not: why it ended.
  Error Run();

 private:
  /// The bytes of the answer; an error ends the channel.
  Result<std::vector<std::byte>> AnswerTo(const std::vector<std::byte>& question);
  void Answer(const HelloQuestion& question, codec::Encoder& encoder);
  void Answer(const NextQuestion& question, codec::Encoder& encoder);
  void Answer(const FactsQuestion& question, codec::Encoder& encoder);
  void DropSentObjects();
  /// That there is nothing to be had now.
  static void AnswerWithoutMemory(const HelloQuestion& question, codec::Encoder& encoder);
  void AnswerWithoutMemory(const NextQuestion& question, codec::Encoder& encoder);
  static void AnswerWithoutMemory(const FactsQuestion& question, codec::Encoder& encoder);

  Connection connection_;
  Sources sources_;
  codec::SentObjects objects_;
  SnapshotEncoder snapshots_;
  std::uint64_t questions_ = 0;  // for the next snapshot
};

}  // namespace finwait::channel
