#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "collectors/base/cpu_budget.h"
#include "collectors/base/result.h"
#include "collectors/codec/codec.h"
#include "collectors/firewall/facts/fact.h"
#include "collectors/firewall/facts/fact_query.h"
#include "collectors/firewall/facts/fact_store.h"
#include "collectors/firewall/facts/need.h"
#include "collectors/kernel/host.h"
#include "exporter/process/process_report.h"

/// What the server may ask of the reader: the whole list. The server asks one thing at a time, and each question has
/// one answer. The reader says nothing by itself.
namespace finwait::channel {

/// The first question, asked once.
struct HelloQuestion {};
struct HelloAnswer {
  std::optional<Error> why_not;  ///< the reader cannot work here
  kernel::NamespaceId network_namespace;
  std::string capabilities;  ///< those it has kept, as privilege::EffectiveCapabilities writes them
  std::optional<std::string>
      unsealed;  ///< why the kernel does not keep the list of its requests; nothing where it does
  std::optional<std::string> unfiltered;  ///< why its system calls are not filtered; nothing where they are
};

/// The next snapshot, or that nothing is new after a while.
struct NextQuestion {
  std::vector<BudgetClaim> claims;  ///< on the CPU budget, by the server's work
};
/// Facts of which the kernel has told that they changed.
struct FactChanges {
  firewall::facts::FactKinds invalid = 0;
  bool settings_stale = false;
};
/// The changes of the snapshot follow it (snapshot_codec.h) where there is one.
struct NextAnswer {
  bool is_new = false;
  FactChanges changes;
  std::vector<BudgetClaim> claims;  ///< by the collectors
  process::ProcessReport report;
};

/// Facts that no sample holds.
struct FactsQuestion {
  std::vector<firewall::facts::Need> needs;
  std::uint64_t network_namespace = 0;  ///< sources::OtherNamespace::id of one that is entered; 0: this host's own
};
struct FactsAnswer {
  std::vector<firewall::facts::Fact::Value> facts;  ///< in the order of the needs

  /// How it crosses. All kinds of facts and rules are in it: that is compiled once, as Question's.
  void Encode(codec::Encoder& encoder) const;
  bool Decode(codec::Decoder& decoder);
};

/// A question as it crosses.
struct Question {
  /// The server has lost what it was told, for want of memory: everything crosses again.
  bool resend_all = false;
  std::variant<HelloQuestion, NextQuestion, FactsQuestion> what;

  void Encode(codec::Encoder& encoder) const;
  bool Decode(codec::Decoder& decoder);
};

/// No question has more needs than an evaluation notes at once; who has more asks again.
inline constexpr std::size_t kMostNeeds = firewall::facts::FactQuery::kMostNeeds;
/// Nor more claims.
inline constexpr std::size_t kMostClaims = 64;
/// How long the reader waits for something new before it says that there is nothing.
inline constexpr std::chrono::seconds kLongestWait{1};

}  // namespace finwait::channel
