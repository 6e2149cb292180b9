#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "collectors/firewall/model/ruleset.h"
#include "collectors/kernel/netlink/attributes.h"

namespace finwait::firewall::read {

/// The description in a NFT_MSG_NEWSET message (its attributes, without the nfgenmsg), with no elements yet. Nothing
/// when it has no name or its keys are no longer than 0 or longer than the register area.
std::optional<Set> DecodeSet(kernel::netlink::Bytes attributes);

/// Gathers the elements of one set from NFT_MSG_NEWSETELEM messages, in whatever order they come.
class SetBuilder {
 public:
  /// Keeps at most `max_elements` of the kernel's elements (a range is two of them); beyond that the set is kTruncated
  /// and, where its elements are halves of ranges, empty but for its catch-all.
  SetBuilder(Set description, std::size_t max_elements);

  /// Drops the elements: the dump starts again.
  void Restart();
  /// The attributes of one message. What is malformed in it makes the set kTruncated.
  void Add(kernel::netlink::Bytes attributes);
  /// The set with what was added, ordered, ranges joined.
  Set Finish();

 private:
  struct RawElement {
    SetElement element;
    bool interval_end = false;
  };
  /// Whether a range is sent as two elements, its start and (NFT_SET_ELEM_INTERVAL_END) the key behind its end.
  bool RangesInHalves() const;
  void AddElement(kernel::netlink::Bytes nest);
  void JoinHalves();

  Set set_;
  std::size_t max_elements_;
  std::vector<RawElement> raw_;
  std::optional<SetElement> catch_all_;
};

}  // namespace finwait::firewall::read
