#pragma once

#include <string_view>

namespace finwait::firewall {

/// What must be known of one step of a rule by whoever does not run it: an expression of nftables, a match or a target
/// of x_tables. Each extension states its own in its file below xt/; those of expressions are in
/// eval/expression_traits.cc.
struct Traits {
  /// It can change what a later rule asks for: the packet's header, mark, priority or translation, its conntrack entry,
  /// or a set that rules look up. False also where the change is one that no rule can tell from the state before
  /// (checksums, TCP options, copies, accounting): then the order of two chains does not matter.
  bool changes_packet = false;
  /// The kernel takes conntrack into use for the namespace when a rule with it is loaded (nf_ct_netns_get()).
  bool needs_conntrack = false;
  /// No step behind it in the same rule runs, whatever the packet is.
  bool terminal = false;
  /// Its answer depends on what no ruleset tells (chance, rates, time, other packets): what, as a noun for a sentence
  /// such as "unknown: a rate limit". Empty: the answer can be predicted, at least for some packets.
  std::string_view unknowable_because = {};
  /// The entry of a connection that it has let in changes sequence numbers (nf_ct_seqadj_init()): they are lost with
  /// it.
  bool adjusts_sequence = false;
  /// It can change a set, a list or an ipset, which later packets then find changed.
  bool changes_sets = false;
  /// It names an ipset by its number, which is another one wherever the set is made.
  bool names_ipset = false;
  /// It asks for nothing and does nothing: a remark for readers.
  bool is_remark = false;
  bool operator==(const Traits&) const = default;
};

}  // namespace finwait::firewall
