#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "collectors/firewall/model/references.h"
#include "collectors/firewall/model/ruleset.h"
#include "collectors/firewall/read/reader_limits.h"

namespace finwait::firewall::read {

class NftReader;

/// Follows rules through nftables' tables: from the base chains that can drop to every chain they reach by jump, goto
/// and verdict map. Reads each chain, set and counter once; keeps what fits the limits over all tables together.
class NftWalk {
 public:
  NftWalk(NftReader& reader, ReaderLimits limits) : reader_(reader), left_(limits) {}

  /// Fills `table`, whose base chains are listed and not read.
  Result<void> ReadReachable(Table& table);

  /// Something that a rule names was not there: the ruleset changed between two reads.
  bool FoundGap() const { return found_gap_; }

 private:
  Result<void> ReadOneChain(Table& table, const std::string& name);
  Result<void> Follow(Table& table, const Rule& rule);
  Result<void> Follow(Table& table, const Reference& reference);
  Result<void> FollowSet(Table& table, const std::string& name);
  Result<void> FollowObject(Table& table, const Reference& reference);

  NftReader& reader_;
  ReaderLimits left_;  ///< what may still be read
  bool found_gap_ = false;
  std::deque<std::string> queue_;  ///< chains of the current table still to be read
};

}  // namespace finwait::firewall::read
