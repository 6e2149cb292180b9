#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/lab/namespace.h"

namespace finwait::firewall::eval {

/// A table of a random ruleset, as the tool that loads it writes it.
struct RandomTable {
  enum class Tool { kNft, kIptablesNft, kIp6tablesNft, kIptablesLegacy, kIp6tablesLegacy };
  struct Chain {
    std::string name;
    std::string base;  ///< what makes it a base chain: nft's "type ..." line, or the hook's name for iptables
    bool policy_drop = false;
    std::vector<std::string> rules;
  };
  Tool tool = Tool::kNft;
  std::string family;  ///< nft only: "ip", "ip6", "inet", "netdev"
  std::string name;
  std::vector<std::string> sets;  ///< nft only
  std::vector<Chain> chains;
};

/// The tools would not load it; what() is what they said.
struct RefusedRuleset : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct RandomRuleset {
  std::vector<RandomTable> tables;
  /// Tables that translate, for connections through virtual addresses and service ports (see ClosingTrial).
  std::vector<RandomTable> nat;
  bool nat_before_open = true;                 ///< else connections are opened first, and so untranslated
  bool virtual_addresses[2] = {false, false};  ///< by IPv6: rules of `nat` lead VirtualAddress() to peers
  bool service_ports[2] = {false, false};      ///< by IPv6: rules of `nat` lead ServicePort() to ports
  bool tcp_loose = true;
  /// A rule in it hangs on chance or a rate: some verdicts may honestly be unknown.
  bool unknowable = false;

  /// "nft", "iptables-nft", "legacy" or "mixed".
  std::string Backend() const;
  /// Whether a rule of `tables` takes packets away from conntrack.
  bool Untracks() const;
  /// Everything, for a person to load by hand.
  std::string Text() const;
  /// Loads `nat`, or `tables`, with the tools; throws RefusedRuleset when they refuse.
  void LoadNat(const lab::Namespace& where) const;
  void LoadRest(const lab::Namespace& where) const;

 private:
  static void Load(const lab::Namespace& where, const std::vector<RandomTable>& tables);
};

/// The same seed gives the same ruleset.
RandomRuleset MakeRandomRuleset(std::uint64_t seed);

/// Every ruleset that is `ruleset` with one thing less: a rule, a chain's rules, an empty chain, a set, a table, a
/// policy.
std::vector<RandomRuleset> SmallerThan(const RandomRuleset& ruleset);

}  // namespace finwait::firewall::eval
