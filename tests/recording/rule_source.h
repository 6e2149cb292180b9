#pragma once

#include <memory>

#include "collectors/firewall/read/fact_resolver.h"
#include "collectors/firewall/read/legacy_reader.h"
#include "collectors/firewall/read/nft_reader.h"
#include "collectors/firewall/read/rule_part_reader.h"
#include "tests/recording/kernel_recording.h"

namespace finwait::recording {

/// The rules of one namespace, read by the product's own readers: from the kernel, which is noted, or from a recording.
class RuleSource {
 public:
  /// From the kernel, in the calling thread's network namespace. Everything that is asked goes into `recording`.
  static RuleSource Recorded(const std::shared_ptr<KernelRecording>& recording);
  static RuleSource Replayed(const KernelRecording& recording);

  firewall::read::NftRuleset ReadNft(firewall::read::ReaderLimits limits = {});
  firewall::read::LegacyRuleset ReadLegacy(firewall::read::ReaderLimits limits = {});
  /// Both, as the firewall collector joins them. Throws where anything could not be read.
  std::shared_ptr<const firewall::Ruleset> Read();
  /// Reads what Read leaves out. Keeps what it has read.
  firewall::read::RulePartReader& Resolver() { return *resolver_; }
  /// The same for evaluations. Of a recording it knows rules only: routes and sockets are notes of its connections.
  firewall::facts::Resolver& Facts() { return *facts_; }

 private:
  RuleSource(kernel::Host host, std::shared_ptr<firewall::read::LegacyKernel> legacy);

  kernel::Host host_;
  std::shared_ptr<firewall::read::LegacyKernel> legacy_;
  std::unique_ptr<firewall::read::RulePartReader> resolver_;
  std::unique_ptr<firewall::read::FactResolver> facts_;
};

/// Reads every chain of nat and every chain that such chains lead to, which a ruleset leaves out until a question needs
/// it: so that a recording answers any such question.
void ReadChainsOnDemand(const firewall::Ruleset& ruleset, firewall::read::RulePartReader& resolver);

}  // namespace finwait::recording
