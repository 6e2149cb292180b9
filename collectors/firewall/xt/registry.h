#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "collectors/firewall/xt/extension.h"

/// Everything that the program knows of x_tables' extensions.
///
/// - One file holds one extension, or a family whose structures and meaning are alike: decoding of every revision, the
///   meaning for a packet, the text, the traits (extension.h says how). Nothing outside of it names the extension but
///   `families` below and the table in registry.cc. What is its own stands in a namespace of the file's name, so that
///   every extension can call its parts alike. `ip_header` is the fixed part of legacy rules, no extension.
/// - Order of the libraries: model (rules as the kernel sent them) < packet (what can be known of a packet, conditions
/// on
///   it) < xt < eval (runs rules), print (prints them), analysis. So meaning and text stand in one file without a ring:
///   an extension needs the packet and not the machine that runs the rule. What a target does is returned as an Effect,
///   and facts of the namespace come through the interface FactLookup, which the machine's source of sets implements.
/// - A registry is a value. The built-in one is what everybody takes who is not given another; a test makes one with an
///   extension of its own. The traits of nftables' expressions are an exhaustive visit in eval/expression_traits.cc.
namespace finwait::firewall::xt {

/// The files of this folder, in alphabetical order: each defines the function of its name.
namespace families {
Family Accounting();
Family Addrtype();
Family Bpf();
Family Cgroup();
Family Checksum();
Family Classify();
Family Comment();
Family ConnectionEntry();
Family Connlimit();
Family Connmark();
Family Conntrack();
Family Ct();
Family Devgroup();
Family Dscp();
Family Ebtables();
Family Error();
Family HopLimit();
Family Icmp();
Family Iprange();
Family Ipv6Header();
Family Length();
Family Limit();
Family Log();
Family Mac();
Family Mark();
Family Multiport();
Family Nat();
Family Nfacct();
Family OtherProtocols();
Family Owner();
Family Physdev();
Family Pkttype();
Family Policy();
Family Queue();
Family Realm();
Family Recent();
Family Reject();
Family Rpfilter();
Family Set();
Family Socket();
Family Statistic();
Family Synproxy();
Family Tcp();
Family Tcpmss();
Family Time();
Family U32();
Family Udp();
Family Unpredictable();
}  // namespace families

/// The extensions of some families, by name. Immutable, so that threads may share it.
class Registry {
 public:
  explicit Registry(std::span<const Family> families);
  Registry(std::initializer_list<Family> families)
      : Registry(std::span<const Family>(families.begin(), families.end())) {}

  /// The extension of that name and revision; null: not known to this version.
  const Match* Find(const XtMatch& match) const;
  const Target* Find(const XtTarget& target) const;

  /// All of them, ordered by name.
  const std::vector<const Match*>& Matches() const { return matches_; }
  const std::vector<const Target*>& Targets() const { return targets_; }

  /// What a match asks of a packet. One whose answer nobody can predict, or that is not known, is one condition that is
  /// kUnknown.
  Conditions ConditionsOf(const XtMatch& match, const Packet& packet, const HookContext& context,
                          FactLookup& facts) const;
  /// What two loads of one match have in common (Match::identity).
  Value IdentityOf(const XtMatch& match) const;
  /// Changes what a match changes of a packet that it has `matched`, or not.
  void Change(const XtMatch& match, Packet& packet, const HookContext& context, bool matched) const;
  /// Whether a match's answer depends on conntrack's state of the packet.
  bool TestsState(const XtMatch& match) const;
  /// What a target does; it changes `packet` itself, except for a translation.
  Effect Apply(const XtTarget& target, Packet& packet, const HookContext& context, FactLookup& facts) const;
  /// Whether a target answers with a TCP reset.
  bool Resets(const XtTarget& target, IpFamily family) const;

  /// The traits of one use. What is not known may change the packet, and is unknowable.
  Traits TraitsOf(const XtMatch& match) const;
  Traits TraitsOf(const XtTarget& target) const;

  /// "-m conntrack --ctstate INVALID", "-j REJECT --reject-with tcp-reset", the way iptables-save writes them. What an
  /// extension of an unknown name, revision or size says stands there as "[...]".
  std::string TextOf(const XtMatch& match, bool ipv6) const;
  std::string TextOf(const XtTarget& target, bool ipv6) const;

 private:
  std::vector<const Match*> matches_;
  std::vector<const Target*> targets_;
};

/// All extensions that this version knows.
const Registry& BuiltIn();

}  // namespace finwait::firewall::xt
