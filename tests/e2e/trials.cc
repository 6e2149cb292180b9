#include "tests/e2e/trials.h"

#include <utility>

namespace finwait::e2e {
namespace {

// A timeout that the idle do not survive.
constexpr const char* kShort = "net.netfilter.nf_conntrack_tcp_timeout_established=4";

struct Rules {
  const char* name;
  bool ipv6;
  const char* load;
};

constexpr Rules kOutbound[] = {
    {"iptables-nft OUTPUT INVALID DROP", false, "iptables-nft -A OUTPUT -m conntrack --ctstate INVALID -j DROP"},
    {"ip6tables-nft OUTPUT INVALID DROP", true, "ip6tables-nft -A OUTPUT -m conntrack --ctstate INVALID -j DROP"},
    {"iptables-legacy OUTPUT INVALID DROP", false, "iptables-legacy -A OUTPUT -m conntrack --ctstate INVALID -j DROP"},
    {"ip6tables-legacy OUTPUT INVALID DROP", true, "ip6tables-legacy -A OUTPUT -m conntrack --ctstate INVALID -j DROP"},
    {"iptables-nft OUTPUT REJECT", false, "iptables-nft -A OUTPUT -m conntrack --ctstate INVALID -j REJECT"},
    {"iptables-legacy mangle POSTROUTING", false,
     "iptables-legacy -t mangle -A POSTROUTING -m conntrack --ctstate INVALID -j DROP"},
    {"iptables-nft security OUTPUT, -m state", false,
     "iptables-nft -t security -A OUTPUT -m state --state INVALID -j DROP"},
    {"nft inet output ct state invalid drop", true,
     "nft 'add table inet f; add chain inet f o { type filter hook output priority 0; }; "
     "add rule inet f o ct state invalid drop'"},
    {"nft output verdict map", false,
     "nft 'add table ip f; add chain ip f o { type filter hook output priority 0; }; "
     "add rule ip f o ct state vmap { established : accept, invalid : drop }'"},
    {"nft output policy drop", true,
     "nft 'add table inet f; add chain inet f o { type filter hook output priority 0; policy drop; }; "
     "add rule inet f o ct state new,established,related accept; add rule inet f o meta l4proto ipv6-icmp accept'"},
    {"iptables-nft OUTPUT policy", false,
     "iptables-nft -A OUTPUT -m conntrack --ctstate NEW,ESTABLISHED,RELATED -j ACCEPT; iptables-nft -P OUTPUT DROP"},
    {"iptables-nft own chain, loopback accepted", false,
     "iptables-nft -N out; iptables-nft -A OUTPUT -o lo -j ACCEPT; iptables-nft -A OUTPUT -j out; "
     "iptables-nft -A out -m conntrack --ctstate INVALID -j DROP"},
};

constexpr Rules kInbound[] = {
    {"iptables-nft INPUT policy", false,
     "iptables-nft -A INPUT -i lo -j ACCEPT; iptables-nft -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j "
     "ACCEPT; "
     "iptables-nft -P INPUT DROP"},
    {"ip6tables-legacy INPUT rule", true,
     "ip6tables-legacy -A INPUT -i lo -j ACCEPT; ip6tables-legacy -A INPUT -p icmpv6 -j ACCEPT; "
     "ip6tables-legacy -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; ip6tables-legacy -A INPUT -j "
     "DROP"},
    {"nft inet input policy drop", false,
     "nft 'add table inet f; add chain inet f i { type filter hook input priority 0; policy drop; }; "
     "add rule inet f i iif lo accept; add rule inet f i ct state established,related accept'"},
    {"nft ip6 input policy drop", true,
     "nft 'add table ip6 f; add chain ip6 f i { type filter hook input priority 0; policy drop; }; "
     "add rule ip6 f i iif lo accept; add rule ip6 f i meta l4proto ipv6-icmp accept; "
     "add rule ip6 f i ct state established,related accept'"},
};

constexpr const char* kToService = "ip route add 198.51.100.0/24 via 192.0.2.2; ";

Trial Base(const std::string& name, const Rules& rules) {
  Trial trial;
  trial.name = std::string(rules.name) + ", " + name;
  trial.rules = rules.load;
  trial.ipv6 = rules.ipv6;
  trial.sysctls = kShort;
  return trial;
}

// All idle, and so all lost.
Trial Lossy(const std::string& name, const Rules& rules, const char* cause, End end = End::kClose) {
  Trial trial = Base(name, rules);
  trial.end = end;
  trial.stage_before = "exposed";
  trial.at_risk = trial.idle;
  trial.stage_after = "failing";
  trial.cause = cause;
  if (end == End::kAfterPeer) {
    trial.sysctls = "net.netfilter.nf_conntrack_tcp_timeout_close_wait=3";
  }
  return trial;
}

// Nothing goes wrong: `stage` before and after.
Trial Baseline(const std::string& name, const Rules& rules, const char* stage) {
  Trial trial = Base(name, rules);
  trial.stage_before = stage;
  trial.stage_after = stage;
  return trial;
}

TrialGroup Outbound() {
  TrialGroup group{"Outbound", {}};
  auto& all = group.trials;
  for (const Rules& rules : kOutbound) {
    all.push_back(Lossy("close", rules, "local_drop"));
  }
  for (const std::size_t i : {0U, 3U, 7U}) {
    all.push_back(Lossy("killed", kOutbound[i], "local_drop", End::kKill));
  }
  for (const std::size_t i : {1U, 2U, 8U}) {
    all.push_back(Lossy("peer closes first", kOutbound[i], "local_drop", End::kAfterPeer));
  }
  for (const std::size_t i : {0U, 9U}) {
    all.push_back(Lossy("shutdown", kOutbound[i], "local_drop", End::kShutdown));
  }
  return group;
}

TrialGroup Resets() {
  TrialGroup group{"Resets", {}};
  auto& all = group.trials;
  for (const std::size_t i : {0U, 1U, 2U, 7U, 8U, 10U}) {
    all.push_back(Lossy("reset", kOutbound[i], "", End::kReset));
  }
  all.push_back(Lossy("closed with unread data", kOutbound[0], "", End::kUnread));
  all.push_back(Lossy("closed with unread data", kOutbound[3], "", End::kUnread));
  for (const std::size_t i : {0U, 3U}) {
    Trial trial = Lossy("reset, which gets out", kInbound[i], "", End::kReset);
    trial.stage_after = "latent";
    trial.lost = 0;
    all.push_back(trial);
  }
  Trial flushed = Lossy("entries flushed", kOutbound[0], "local_drop");
  flushed.flush = true;
  flushed.sysctls = "";
  all.push_back(flushed);
  Trial liberal = Lossy("be_liberal", kOutbound[0], "local_drop");
  liberal.sysctls += " net.netfilter.nf_conntrack_tcp_be_liberal=1";
  all.push_back(liberal);
  Trial strict = Lossy("tcp_loose off", kOutbound[7], "local_drop");
  strict.sysctls += " net.netfilter.nf_conntrack_tcp_loose=0";
  all.push_back(strict);
  return group;
}

TrialGroup InboundAndNat() {
  TrialGroup group{"InboundAndNat", {}};
  auto& all = group.trials;
  for (const Rules& rules : kInbound) {
    all.push_back(Lossy("close", rules, "reply_drop"));
  }
  all.push_back(Lossy("killed", kInbound[0], "reply_drop", End::kKill));
  all.push_back(Lossy("peer closes first", kInbound[1], "reply_drop", End::kAfterPeer));
  all.push_back(Lossy("peer closes first", kInbound[2], "reply_drop", End::kAfterPeer));
  Trial invalid = Lossy("INVALID accepted, tcp_loose on", kInbound[0], "reply_drop");
  invalid.rules += "; iptables-nft -I INPUT -m conntrack --ctstate INVALID -j ACCEPT";
  invalid.peer_stays = true;  // its own FIN would be INVALID, and let in: the peer decides
  invalid.stage_before = "latent";
  invalid.lost = invalid.at_risk;
  invalid.peer_half = std::exchange(invalid.at_risk, 0);
  all.push_back(invalid);
  Trial strict = Baseline("INVALID accepted, tcp_loose off", kInbound[0], "none");
  strict.rules = invalid.rules;
  strict.sysctls += " net.netfilter.nf_conntrack_tcp_loose=0";
  all.push_back(strict);

  const Rules services[] = {
      {"iptables-nft OUTPUT DNAT", false,
       "iptables-nft -t nat -A OUTPUT -d 198.51.100.1 -j DNAT --to-destination 192.0.2.2"},
      {"iptables-legacy OUTPUT DNAT", false,
       "iptables-legacy -t nat -A OUTPUT -d 198.51.100.1 -j DNAT --to-destination 192.0.2.2"},
      {"nft output dnat", false,
       "nft 'add table ip n; add chain ip n o { type nat hook output priority -100; }; "
       "add rule ip n o ip daddr 198.51.100.1 dnat to 192.0.2.2'"},
  };
  for (const Rules& rules : services) {
    Trial trial = Lossy("close", rules, "nat_lost", &rules == &services[1] ? End::kKill : End::kClose);
    trial.rules = kToService + trial.rules;
    trial.address = "198.51.100.1";
    all.push_back(trial);
  }
  // The peer answers the untranslated FIN with a reset, which ends this side: the loss leaves no trace here.
  const Rules source{
      "iptables-nft SNAT", false,
      "ip address add 192.0.2.9/24 dev veth0; iptables-nft -t nat -A POSTROUTING -p tcp --dport 80 -j SNAT "
      "--to-source 192.0.2.9"};
  Trial traceless = Lossy("close, of which no trace is left", source, "");
  traceless.stage_after = "none";
  all.push_back(traceless);
  const Rules masquerade{"iptables-nft MASQUERADE", false, "iptables-nft -t nat -A POSTROUTING -o veth0 -j MASQUERADE"};
  all.push_back(Baseline("to the address that it has", masquerade, "none"));
  return group;
}

TrialGroup Shares() {
  TrialGroup group{"Shares", {}};
  auto& all = group.trials;
  const auto mixed = [&](const Rules& rules, const char* cause, int idle, int keepalive, int talking) {
    Trial trial = Lossy(std::to_string(idle) + " idle, " + std::to_string(keepalive) + " with keepalive, " +
                            std::to_string(talking) + " talking",
                        rules, cause);
    trial.idle = trial.at_risk = idle;
    trial.keepalive = keepalive;
    trial.talking = talking;
    if (idle == 0) {
      trial.stage_before = trial.stage_after = "latent";
      trial.cause = "";
    }
    all.push_back(trial);
  };
  mixed(kOutbound[0], "local_drop", 1, 6, 5);
  mixed(kOutbound[3], "local_drop", 2, 4, 6);
  mixed(kOutbound[7], "local_drop", 4, 4, 4);
  mixed(kOutbound[10], "local_drop", 6, 3, 3);
  mixed(kInbound[0], "reply_drop", 3, 5, 4);
  mixed(kInbound[3], "reply_drop", 8, 4, 0);
  mixed(kOutbound[8], "local_drop", 10, 0, 2);
  mixed(kInbound[1], "reply_drop", 11, 1, 0);
  mixed(kOutbound[0], "local_drop", 0, 4, 0);
  mixed(kOutbound[9], "local_drop", 0, 0, 4);
  mixed(kInbound[2], "reply_drop", 0, 2, 2);
  for (const std::size_t i : {2U, 9U}) {
    Trial trial = Baseline("long timeout", kOutbound[i], "latent");
    trial.sysctls = "";
    trial.entries_stay = true;
    all.push_back(trial);
  }
  Trial some = Baseline(
      "peers that the rule does not name",
      {"rule for one peer", false, "iptables-nft -A OUTPUT -d 192.0.2.7 -m conntrack --ctstate INVALID -j DROP"},
      "none");
  all.push_back(some);
  return group;
}

TrialGroup NoAlarm() {
  TrialGroup group{"NoAlarm", {}};
  auto& all = group.trials;
  const Rules none{"no rules", false, ""};
  Trial inactive = Baseline("conntrack inactive", none, "none");
  inactive.entries_stay = true;
  all.push_back(inactive);
  all.push_back(Baseline(
      "close",
      {"iptables-nft INVALID ACCEPT", false, "iptables-nft -A OUTPUT -m conntrack --ctstate INVALID -j ACCEPT"},
      "none"));
  // They close; but if the peer closed first, its FIN would not come in.
  for (const Rules& rules : {Rules{"ip6tables-nft INPUT INVALID DROP", true,
                                   "ip6tables-nft -A INPUT -m conntrack --ctstate INVALID -j DROP"},
                             Rules{"nft ufw-like input", false,
                                   "nft 'add table inet f; add chain inet f i { type filter hook input priority 0; }; "
                                   "add rule inet f i ct state invalid drop'"}}) {
    Trial trial = Baseline("close", rules, "latent");
    trial.stage_before = "exposed";
    trial.peer_half = trial.idle;
    trial.lost = 0;
    all.push_back(trial);
  }
  all.push_back(Baseline("close",
                         {"NOTRACK and OUTPUT INVALID DROP", false,
                          "iptables-nft -t raw -A OUTPUT -j NOTRACK; iptables-nft -t raw -A PREROUTING -j NOTRACK; "
                          "iptables-nft -A OUTPUT -m conntrack --ctstate INVALID -j DROP"},
                         "none"));

  const auto fault = [&](const std::string& name, const Rules& rules, const char* stage, Fault what, const char* cause,
                         End end = End::kClose) {
    Trial trial = Baseline(name, rules, stage);
    trial.sysctls = "";
    trial.entries_stay = true;
    trial.fault = what;
    trial.cause = cause;
    trial.lost = *cause == 0 ? 0 : trial.idle;
    trial.end = end;
    all.push_back(trial);
    return &all.back();
  };
  fault("FIN scan", kOutbound[0], "latent", Fault::kFinScan, "");
  fault("FIN scan", kOutbound[8], "latent", Fault::kFinScan, "");
  fault("link down", none, "none", Fault::kLinkDown, "local_error");
  fault("link down", kOutbound[0], "latent", Fault::kLinkDown, "local_error");
  fault("link down", kOutbound[3], "latent", Fault::kLinkDown, "local_error");
  fault("link down, entries gone",
        {"iptables-nft INVALID ACCEPT", false, "iptables-nft -A OUTPUT -m conntrack --ctstate INVALID -j ACCEPT"},
        "none", Fault::kLinkDown, "local_error");
  all.back().flush = true;
  fault("blackhole route", kOutbound[2], "latent", Fault::kBlackhole, "local_error");
  fault("blackhole route", kOutbound[7], "latent", Fault::kBlackhole, "local_error", End::kKill);
  fault("peer vanishes", kInbound[0], "latent", Fault::kPeerVanishes, "no_reply");
  fault("peer vanishes", kInbound[3], "latent", Fault::kPeerVanishes, "no_reply", End::kKill);
  fault("peer vanishes, entry times out after the FIN", kInbound[2], "latent", Fault::kPeerVanishes, "no_reply");
  all.back().sysctls = "net.netfilter.nf_conntrack_tcp_timeout_fin_wait=2";
  all.back().tries = 6;
  fault("peer closes and vanishes, entry times out after the FIN", kInbound[1], "latent", Fault::kPeerVanishes,
        "no_reply", End::kAfterPeer);
  all.back().sysctls = "net.netfilter.nf_conntrack_tcp_timeout_last_ack=2";
  all.back().tries = 6;
  fault("peer stops reading", kOutbound[0], "latent", Fault::kPeerStopsReading, "zero_window");
  fault("peer stops reading", kInbound[3], "latent", Fault::kPeerStopsReading, "zero_window");
  return group;
}

}  // namespace

std::vector<TrialGroup> RiskMatrix() { return {Outbound(), Resets(), InboundAndNat(), Shares(), NoAlarm()}; }

}  // namespace finwait::e2e
