#pragma once

#include <vector>

#include "collectors/firewall/eval/packet_names.h"
#include "collectors/firewall/model/rule_id.h"

namespace finwait::firewall::eval {

/// Which packets a rule is to let through that an operator may insert.
enum class Accepts {
  kClosing,  ///< on the way out: FIN and RST in state INVALID
  kInvalid,  ///< on the way out: everything in state INVALID
  kReplies,  ///< whatever is no SYN, in state NEW or INVALID. On the way in only a socket that is there can take it
  kFins,     ///< FINs in any state: where rules drop them although their entry is there
};

/// Rules that are not there yet: what would become of a packet with them is evaluated before they are advised. Each
/// stands in front of the rule that drops, as the advised command puts it: iptables at the top of the chain, nft right
/// before the rule, or at the end of a chain whose policy drops.
class PlannedAccepts {
 public:
  void Add(const RuleId& before, Accepts accepts) { planned_.push_back({before, accepts}); }

  /// Whether one of them lets `packet` pass before `rule` of `chain` (null: its policy) can drop it.
  bool LetPass(const Table& table, const Chain& chain, const Rule* rule, const Packet& packet) const;

 private:
  struct Planned {
    RuleId before;
    Accepts accepts;
  };
  std::vector<Planned> planned_;
};

}  // namespace finwait::firewall::eval
