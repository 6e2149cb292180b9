#include <utility>

#include "tests/e2e/pod_trial.h"
#include "tests/e2e/rules.h"
#include "tests/lab/paths.h"

namespace finwait::e2e {
namespace {

// Words of rules: T is iptables or ip6tables, L the legacy one, POD and FAR are addresses.
std::string FilledForPods(std::string text, bool ipv6) {
  for (const auto& [word, four, six] :
       {std::tuple{"$T", "iptables-nft", "ip6tables-nft"}, std::tuple{"$L", "iptables-legacy", "ip6tables-legacy"},
        std::tuple{"$POD", "198.51.100.2", "2001:db8:1::2"}, std::tuple{"$FAR", "192.0.2.2", "2001:db8::2"},
        std::tuple{"$SERVICE", "203.0.113.10", "2001:db8:a::10"},
        std::tuple{"$AT_FAR", "192.0.2.2:80", "[2001:db8::2]:80"},
        std::tuple{"$AT_POD", "198.51.100.2:80", "[2001:db8:1::2]:80"}, std::tuple{"$IP", "ip", "ip -6"}}) {
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at)) {
      text.replace(at, std::string(word).size(), ipv6 ? six : four);
    }
  }
  return text;
}

std::string Fixture(const std::string& name) {
  return (lab::SourceFolder() / "tests/fixtures/firewall/real" / name).string();
}

constexpr const char* kForwardInvalid = "$T -A FORWARD -m conntrack --ctstate INVALID -j DROP";
constexpr const char* kOnlyTheWayOut =
    "$T -P FORWARD DROP; $T -A FORWARD -o veth0 -j ACCEPT; $T -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j "
    "ACCEPT";
constexpr const char* kMasquerade = "$T -t nat -A POSTROUTING -o veth0 -j MASQUERADE";
constexpr const char* kOutputInvalid = "$T -A OUTPUT -m conntrack --ctstate INVALID -j DROP";

#define NFT(hook, rules) "nft 'table inet f { chain c { type filter hook " hook " priority 0; " rules "; }; }'"

class Group {
 public:
  explicit Group(bool enter) : enter_(enter) {}

  // Of `fate`; stuck for `cause`, if any.
  PodTrial& Add(const std::string& name, bool ipv6, Joint joint, const std::string& rules, const std::string& fate,
                const std::string& cause) {
    PodTrial& trial = all_.emplace_back();
    constexpr const char* kJoints[] = {"routed", "Calico's", "bridge", "macvlan", "nested"};
    trial.name = name + ", " + kJoints[static_cast<std::size_t>(joint)] + (ipv6 ? ", IPv6" : ", IPv4");
    trial.rules = FilledForPods(rules, ipv6);
    trial.ipv6 = ipv6;
    trial.joint = joint;
    trial.enter = enter_;
    trial.fate = fate;
    trial.cause = cause;
    trial.stage_before = fate == "peer_decides" ? "latent" : "exposed";
    // Rules that are for those of others are no danger once none of theirs is open.
    trial.stage_after = cause.empty() ? "none" : "failing";
    // Rules of NAT need entries: what they translate had one.
    const auto has = [&](const char* word) { return rules.find(word) != std::string::npos; };
    if (!has("nat ") && !has("-restore") && !has("nft -f") && fate != "unknown") {
      trial.checked = "clean";
    }
    return trial;
  }

  PodTrial& Lossy(const std::string& name, bool ipv6, Joint joint, const std::string& rules, const std::string& fate) {
    const std::string cause = fate == "nat_lost" ? fate : fate == "peer_fin_dropped" ? "" : "forward_drop";
    PodTrial& trial = Add(name, ipv6, joint, rules, fate, cause);
    trial.masqueraded = rules.find("MASQUERADE") != std::string::npos;
    return trial;
  }

  // The same of connections whose entry is there.
  PodTrial& LossyWithEntry(const std::string& name, bool ipv6, Joint joint, const std::string& rules,
                           const std::string& fate) {
    PodTrial& trial = Lossy("with an entry: " + name, ipv6, joint, std::string(kTracks) + "; " + rules, fate);
    trial.entries_stay = true;
    trial.checked = std::nullopt;
    if (fate == "peer_fin_dropped") {
      trial.end = PodEnd::kPeer;
      trial.lost = 3;
      trial.stage_after = "exposed";
    }
    return trial;
  }

  // Nothing goes wrong.
  PodTrial& Clean(const std::string& name, bool ipv6, Joint joint, const std::string& rules, const std::string& stage) {
    PodTrial& trial = Add(name, ipv6, joint, rules, "clean", "");
    trial.stage_before = trial.stage_after = stage;
    return trial;
  }

  std::vector<PodTrial> Take() { return std::move(all_); }

 private:
  bool enter_;
  std::vector<PodTrial> all_;
};

// The host's rules on the way through.
void AddForwardRules(Group& group) {
  group.Lossy("FORWARD INVALID", false, Joint::kBridge, kForwardInvalid, "fin_dropped");
  group.Lossy("FORWARD INVALID", true, Joint::kRouted, kForwardInvalid, "fin_dropped");
  group.Lossy("FORWARD INVALID", false, Joint::kCalico, kForwardInvalid, "fin_dropped");
  group.Lossy("legacy FORWARD INVALID", false, Joint::kRouted, "$L -A FORWARD -m conntrack --ctstate INVALID -j DROP",
              "fin_dropped");
  group.Lossy("legacy FORWARD INVALID", true, Joint::kBridge, "$L -A FORWARD -m conntrack --ctstate INVALID -j DROP",
              "fin_dropped");
  group.Lossy("nft forward INVALID", true, Joint::kCalico, NFT("forward", "ct state invalid drop"), "fin_dropped");
  group.Lossy("nft forward verdict map", false, Joint::kBridge,
              NFT("forward", "ct state vmap { established : accept, invalid : drop }"), "fin_dropped");
  group.Lossy("nft forward policy", true, Joint::kRouted,
              NFT("forward", "policy drop; ct state new,established,related accept; meta l4proto ipv6-icmp accept"),
              "fin_dropped");
  group.Lossy("FORWARD REJECT", false, Joint::kBridge, "$T -A FORWARD -m conntrack --ctstate INVALID -j REJECT",
              "fin_dropped");
  group.Lossy("mangle PREROUTING INVALID", false, Joint::kRouted,
              "$T -t mangle -A PREROUTING -m conntrack --ctstate INVALID -j DROP", "fin_dropped");
  group.Lossy("mangle POSTROUTING INVALID", true, Joint::kBridge,
              "$T -t mangle -A POSTROUTING -m conntrack --ctstate INVALID -j DROP", "fin_dropped");
  group.Lossy("only the way out is accepted", false, Joint::kBridge, kOnlyTheWayOut, "ack_dropped");
  group.Lossy("only the way out is accepted", true, Joint::kRouted, kOnlyTheWayOut, "ack_dropped");
  group.Lossy("only the way out is accepted, nft", false, Joint::kCalico,
              NFT("forward", "policy drop; ct state established,related accept; oifname veth0 accept"), "ack_dropped");
  group.Lossy("INVALID dropped on the way in", false, Joint::kBridge,
              "$T -A FORWARD -i veth0 -m conntrack --ctstate INVALID -j DROP", "peer_fin_dropped");
  group.Lossy("INVALID dropped on the way in", true, Joint::kCalico,
              "$T -A FORWARD -i veth0 -m conntrack --ctstate INVALID -j DROP", "peer_fin_dropped");
  PodTrial& peer = group.Lossy("INVALID dropped on the way in, the peer closes", false, Joint::kRouted,
                               "$T -A FORWARD -i veth0 -m conntrack --ctstate INVALID -j DROP", "peer_fin_dropped");
  peer.end = PodEnd::kPeer;
  peer.lost = 3;
  peer.stage_after = "exposed";
  group.Lossy("NEW without SYN dropped on the way in", false, Joint::kRouted,
              "$T -A FORWARD -i veth0 -p tcp ! --syn -m conntrack --ctstate NEW -j DROP", "peer_decides");
  for (const auto& [name, end] :
       {std::pair{"shutdown", PodEnd::kShutdown}, std::pair{"the peer has closed", PodEnd::kAfterPeer}}) {
    group.Lossy(std::string("FORWARD INVALID, ") + name, false, Joint::kRouted, kForwardInvalid, "fin_dropped").end =
        end;
    group.Lossy(std::string("FORWARD INVALID, ") + name, true, Joint::kBridge, kForwardInvalid, "fin_dropped").end =
        end;
  }
  PodTrial& reset = group.Lossy("FORWARD INVALID, reset", false, Joint::kBridge, kForwardInvalid, "fin_dropped");
  reset.end = PodEnd::kReset;  // which the host drops, and nobody else knows of it
  reset.cause = "";
  reset.lost = 3;
  reset.stage_after = "none";
  PodTrial& vanished = group.Clean("a peer that vanishes", false, Joint::kBridge, kForwardInvalid, "latent");
  vanished.entries_stay = vanished.peer_vanishes = true;
  vanished.cause = "no_reply";
  vanished.stage_after = "none";
  // Of these only the host's end is counted, which the pod's FIN does not reach.
  PodTrial& input = group.Add("INPUT INVALID, to the host itself", false, Joint::kBridge,
                              "$T -A INPUT -p tcp --dport 80 -m conntrack --ctstate INVALID -j DROP",
                              "peer_fin_dropped", "forward_drop");
  input.far = Far::kHost;
  input.explained = "fin_dropped";
  input.checked = std::nullopt;
}

// Rules that drop closing packets although the entry is there, as those against leaks do.
void AddWithEntry(Group& group) {
  const std::string fins = "-p tcp --tcp-flags FIN FIN -j DROP";
  group.LossyWithEntry("FORWARD FIN", false, Joint::kRouted, "$T -A FORWARD " + fins, "fin_dropped");
  group.LossyWithEntry("FORWARD FIN", true, Joint::kBridge, "$T -A FORWARD " + fins, "fin_dropped");
  group.LossyWithEntry("legacy FORWARD FIN", false, Joint::kCalico, "$L -A FORWARD " + fins, "fin_dropped");
  group.LossyWithEntry("mangle PREROUTING FIN of the pod", true, Joint::kCalico,
                       "$T -t mangle -A PREROUTING -s $POD " + fins, "fin_dropped");
  group.LossyWithEntry("nft postrouting FIN", false, Joint::kBridge,
                       NFT("postrouting", "oifname veth0 tcp flags & fin == fin drop"), "fin_dropped");
  group.LossyWithEntry("FORWARD FIN of the peer", false, Joint::kBridge, "$T -A FORWARD -i veth0 " + fins,
                       "peer_fin_dropped");
  group.LossyWithEntry("ACKs of FINs in", false, Joint::kRouted,
                       "$T -A FORWARD -i veth0 -p tcp --tcp-flags SYN,FIN,ACK ACK -m conntrack --ctstate ESTABLISHED "
                       "-j DROP",
                       "peer_decides");
  group
      .LossyWithEntry("FORWARD FIN, the peer has closed", true, Joint::kRouted, "$T -A FORWARD -o veth0 " + fins,
                      "fin_dropped")
      .end = PodEnd::kAfterPeer;
  group.LossyWithEntry("MASQUERADE and FORWARD FIN of the pod", false, Joint::kBridge,
                       std::string(kMasquerade) + "; $T -A FORWARD -s $POD " + fins, "fin_dropped");
  PodTrial& service =
      group.LossyWithEntry("a service, and FORWARD FIN to what it leads to", false, Joint::kCalico,
                           "$T -t nat -A PREROUTING -d $SERVICE -p tcp -j DNAT --to-destination $AT_FAR; $T -A FORWARD "
                           "-d $FAR " +
                               fins,
                           "fin_dropped");
  service.address = FilledForPods("$SERVICE", false);
  PodTrial& to_service =
      group.Clean("with an entry: a service, and FORWARD FIN to its address", false, Joint::kRouted,
                  "$T -t nat -A PREROUTING -d $SERVICE -p tcp -j DNAT --to-destination $AT_FAR; $T -A FORWARD "
                  "-d $SERVICE " +
                      fins,
                  "latent");
  to_service.address = FilledForPods("$SERVICE", false);
  to_service.entries_stay = true;
  to_service.stage_after = "none";
  PodTrial& bridged =
      group.LossyWithEntry("FORWARD FIN, two pods of a bridge that calls rules", false, Joint::kBridge,
                           "sysctl -qw net.bridge.bridge-nf-call-iptables=1; $T -A FORWARD " + fins, "fin_dropped");
  bridged.far = Far::kOtherPod;
}

// What the host's rules ask for.
void AddFacts(Group& group) {
  group.Lossy(
      "a mark from PREROUTING", false, Joint::kRouted,
      "$T -t mangle -A PREROUTING -m conntrack --ctstate INVALID -j MARK --set-mark 0x10/0xf0; $T -A FORWARD -m "
      "mark --mark 0x10/0x10 -j DROP",
      "fin_dropped");
  group
      .Clean("the pod's own mark is not the host's", false, Joint::kRouted,
             "$T -A FORWARD -m mark --mark 7 -m conntrack --ctstate INVALID -j DROP", "none")
      .mark = 7;
  const std::string sets =
      "ipset create pods hash:ip; ipset add pods 198.51.100.2; ipset create others hash:net; "
      "ipset add others 203.0.113.0/24; ";
  group.Lossy("an ipset with the pod", false, Joint::kCalico,
              sets + "$T -A FORWARD -m set --match-set pods src -m conntrack --ctstate INVALID -j DROP", "fin_dropped");
  group.Clean("an ipset without it", false, Joint::kCalico,
              sets + "$T -A FORWARD -m set --match-set others src -m conntrack --ctstate INVALID -j DROP", "none");
  group.Clean("a rule for another pod", true, Joint::kBridge,
              "$T -A FORWARD -s 2001:db8:1::9 -m conntrack --ctstate INVALID -j DROP", "none");
  group.Lossy("a zone of the pod's device", false, Joint::kRouted,
              std::string("$T -t raw -A PREROUTING -i vethpod0 -j CT --zone 5; $T -t raw -A PREROUTING -i veth0 -j CT "
                          "--zone 5; ") +
                  kForwardInvalid,
              "fin_dropped");
  PodTrial& zoned =
      group.Clean("entries in a zone, which are there", false, Joint::kBridge,
                  std::string("$T -t raw -A PREROUTING -i docker0 -j CT --zone 5; $T -t raw -A PREROUTING "
                              "-i veth0 -j CT --zone 5; ") +
                      kForwardInvalid,
                  "latent");
  zoned.entries_stay = true;
  zoned.stage_after = "none";
  group.Clean("NOTRACK", false, Joint::kRouted,
              std::string("$T -t raw -A PREROUTING -p tcp -j CT --notrack; ") + kForwardInvalid, "none");
  const std::string side =
      "ip link add side type veth peer name far; ip link set far up; ip address add 203.0.113.1/24 dev side; ip link "
      "set side up; ip route add 192.0.2.0/24 dev veth0 table 100; ip route add default dev side table 200; ";
  for (const char* rule : {"from 198.51.100.2 lookup 100", "iif vethpod0 lookup 100"}) {
    PodTrial& routed = group.Clean(std::string("ip rule ") + rule, false, Joint::kRouted,
                                   "$T -A FORWARD -o side -m conntrack --ctstate INVALID -j DROP", "none");
    routed.prepare = side + "ip rule add " + rule;
  }
  PodTrial& moved = group.Lossy("an ip rule that comes later", false, Joint::kRouted,
                                "$T -A FORWARD -o side -m conntrack --ctstate INVALID -j DROP", "fin_dropped");
  moved.prepare = side;
  moved.changes = "ip rule add from 198.51.100.2 lookup 200";
  group.Clean("nothing is dropped", true, Joint::kBridge, kTracks, "none");
  group.Clean("nothing is dropped", false, Joint::kCalico, kTracks, "none");
  PodTrial& macvlan = group.Clean("the host's rules are not passed", false, Joint::kMacvlan, kForwardInvalid, "none");
  macvlan.explained = "unknown";
  PodTrial& nested =
      group.Add("behind a namespace that forwards, too", false, Joint::kNested, kForwardInvalid, "unknown", "");
  nested.stage_before = "cannot tell";
  nested.checked = "clean";
  PodTrial& multipath =
      group.Add("Multipath TCP, told only inside", false, Joint::kBridge, kForwardInvalid, "unknown", "");
  multipath.multipath = true;
  multipath.stage_before = "cannot tell";
  multipath.checked = "clean";
  multipath.explained = "clean";  // it goes in, and asks the socket
}

// Two pods of one bridge, whose packets meet rules of IP where br_netfilter has them called.
void AddBridged(Group& group) {
  for (const bool ipv6 : {false, true}) {
    for (const bool called : {true, false}) {
      const std::string rules = std::string("sysctl -qw net.bridge.bridge-nf-call-") +
                                (ipv6 ? "ip6tables=" : "iptables=") + (called ? "1; " : "0; ");
      const std::string name = called ? "two pods of a bridge that calls rules" : "two pods of a bridge";
      PodTrial& trial = called ? group.Lossy(name, ipv6, Joint::kBridge, rules + kForwardInvalid, "fin_dropped")
                               : group.Clean(name, ipv6, Joint::kBridge, rules + kForwardInvalid, "none");
      trial.far = Far::kOtherPod;
    }
  }
  PodTrial& port = group.Lossy("the port of a bridge", false, Joint::kBridge,
                               "sysctl -qw net.bridge.bridge-nf-call-iptables=1; $T -A FORWARD -m physdev --physdev-in "
                               "vethpod0 -m conntrack --ctstate INVALID -j DROP",
                               "fin_dropped");
  port.masqueraded = false;
}

// The peer comes in by a port of the host's. That it did not come straight to the pod only the entry tells.
void Publish(PodTrial& trial) {
  trial.peer_opens = trial.masqueraded = true;
  trial.address = trial.ipv6 ? "2001:db8::1" : "192.0.2.1";
  trial.port = 8080;
  trial.checked = "clean";
  trial.explained = "unknown";
}

// NAT of the host's, which its entry alone knows.
void AddTranslations(Group& group) {
  group.Lossy("MASQUERADE", false, Joint::kBridge, kMasquerade, "nat_lost");
  group.Lossy("MASQUERADE", true, Joint::kRouted, kMasquerade, "nat_lost");
  group.Lossy("legacy MASQUERADE", false, Joint::kCalico, "$L -t nat -A POSTROUTING -o veth0 -j MASQUERADE",
              "nat_lost");
  group
      .Lossy("nft masquerade", true, Joint::kBridge,
             "nft 'table inet n { chain p { type nat hook postrouting priority 100; oifname veth0 masquerade; }; }'",
             "nat_lost")
      .masqueraded = true;
  group.Lossy("MASQUERADE and FORWARD INVALID", false, Joint::kBridge,
              std::string(kMasquerade) + "; " + kForwardInvalid, "fin_dropped");
  group.Lossy("MASQUERADE and FORWARD INVALID", true, Joint::kCalico, std::string(kMasquerade) + "; " + kForwardInvalid,
              "fin_dropped");
  group.Lossy("MASQUERADE, the peer has closed", false, Joint::kRouted, kMasquerade, "nat_lost").end =
      PodEnd::kAfterPeer;
  PodTrial& kept = group.Clean("MASQUERADE, entries that are there", false, Joint::kBridge, kMasquerade, "latent");
  kept.entries_stay = kept.masqueraded = true;
  kept.stage_after = "none";  // what the host itself sends is translated to what it was
  for (const bool ipv6 : {false, true}) {
    PodTrial& service =
        group.Lossy("a service that leads to the peer", ipv6, Joint::kCalico,
                    "$T -t nat -A PREROUTING -d $SERVICE -p tcp -j DNAT --to-destination $AT_FAR", "nat_lost");
    service.address = FilledForPods("$SERVICE", ipv6);
    PodTrial& published = group.Lossy("a published port", ipv6, Joint::kBridge,
                                      "$T -t nat -A PREROUTING -p tcp -m addrtype --dst-type LOCAL --dport 8080 -j "
                                      "DNAT --to-destination $AT_POD",
                                      "nat_lost");
    Publish(published);
  }
  for (const bool ipv6 : {false, true}) {
    PodTrial& hairpin = group.Lossy("hairpin, both ends in the pod", ipv6, Joint::kRouted,
                                    "$T -t nat -A PREROUTING -d $SERVICE -p tcp -j DNAT --to-destination $AT_POD; $T "
                                    "-t nat -A POSTROUTING -s $POD -d $POD -j MASQUERADE",
                                    "nat_lost");
    hairpin.address = FilledForPods("$SERVICE", ipv6);
    hairpin.far = Far::kItself;
    hairpin.ends = 2;
    hairpin.checked = "nat_lost unknown";  // of the server's end nobody has told that a peer opened it
  }
}

// Rulesets of real software.
void AddReal(Group& group) {
  const auto restore = [](const std::string& tool, const std::string& file) { return tool + " < " + Fixture(file); };
  for (const bool ipv6 : {false, true}) {
    const std::string tool = ipv6 ? "ip6tables" : "iptables";
    for (const std::string form : {"-nft", "-legacy"}) {
      PodTrial& kube = group.Lossy("kube-proxy, iptables" + form, ipv6, Joint::kCalico,
                                   restore(tool + form + "-restore", "kube-proxy." + tool), "fin_dropped");
      kube.far = Far::kOtherPod;
      kube.address = ipv6 ? "2001:db8::41" : "192.0.2.65";
    }
    PodTrial& nft = group.Lossy("kube-proxy, nftables", ipv6, Joint::kCalico,
                                "nft -f " + Fixture(ipv6 ? "kube-proxy6.nft" : "kube-proxy.nft"), "nat_lost");
    nft.far = Far::kOtherPod;
    nft.address = ipv6 ? "2001:db8::41" : "192.0.2.65";
    PodTrial& docker = group.Lossy("Docker, to the peer", ipv6, Joint::kBridge,
                                   restore(tool + "-nft-restore", "docker." + tool), "nat_lost");
    docker.masqueraded = true;
    PodTrial& published = group.Lossy("Docker, a published port", ipv6, Joint::kBridge,
                                      restore(tool + "-nft-restore", "docker." + tool), "nat_lost");
    Publish(published);
  }
  group
      .Lossy("Calico, a host endpoint", false, Joint::kCalico, restore("iptables-nft-restore", "calico.iptables"),
             "ack_dropped")
      .checked = "clean";
}

template <typename... Adders>
std::vector<PodTrial> Observed(Adders... add) {
  Group group(false);
  (add(group), ...);
  return group.Take();
}

std::vector<PodTrial> Entered() {
  Group group(true);
  const auto inside = [&](const std::string& name, bool ipv6, Joint joint, const std::string& rules,
                          const std::string& fate, const std::string& cause) -> PodTrial& {
    PodTrial& trial = group.Add(name, ipv6, joint, kTracks, fate, cause);
    trial.pod_rules = FilledForPods(rules, ipv6);
    trial.checked = std::nullopt;  // in the pod's own table there is none
    if (cause.empty()) {
      trial.stage_after = "none";
    }
    return trial;
  };
  for (const bool ipv6 : {false, true}) {
    inside("its own OUTPUT INVALID", ipv6, Joint::kRouted, kOutputInvalid, "fin_dropped", "local_drop");
    inside("its own INPUT policy", ipv6, Joint::kBridge,
           "$T -A INPUT -i lo -j ACCEPT; $T -A INPUT ! -p tcp -j ACCEPT; $T -A INPUT -m conntrack --ctstate "
           "ESTABLISHED,RELATED -j ACCEPT; $T -P INPUT DROP",
           "ack_dropped", "reply_drop");
  }
  inside("its own nft output policy", true, Joint::kCalico,
         NFT("output", "policy drop; ct state new,established,related accept; meta l4proto ipv6-icmp accept"),
         "fin_dropped", "local_drop");
  inside("its own OUTPUT REJECT", false, Joint::kCalico, "$T -A OUTPUT -m conntrack --ctstate INVALID -j REJECT",
         "fin_dropped", "local_drop");
  inside("its own OUTPUT INVALID, the peer has closed", false, Joint::kBridge, kOutputInvalid, "fin_dropped",
         "local_drop")
      .end = PodEnd::kAfterPeer;
  inside("its own INPUT INVALID", false, Joint::kRouted, "$T -A INPUT -m conntrack --ctstate INVALID -j DROP",
         "peer_fin_dropped", "");
  PodTrial& translated =
      inside("its own OUTPUT DNAT", false, Joint::kRouted,
             "$T -t nat -A OUTPUT -d $SERVICE -p tcp -j DNAT --to-destination $AT_FAR", "nat_lost", "nat_lost");
  translated.address = "203.0.113.10";
  inside("its own OUTPUT INVALID", false, Joint::kMacvlan, kOutputInvalid, "fin_dropped", "local_drop");
  inside("its own rule by a mark that its sockets have", false, Joint::kRouted,
         "$T -A OUTPUT -m mark --mark 7 -m conntrack --ctstate INVALID -j DROP", "fin_dropped", "local_drop")
      .mark = 7;
  PodTrial& unmarked = inside("its own rule by another mark", false, Joint::kRouted,
                              "$T -A OUTPUT -m mark --mark 7 -m conntrack --ctstate INVALID -j DROP", "clean", "");
  unmarked.stage_before = "none";
  PodTrial& accepted = inside("its own OUTPUT accepts INVALID", true, Joint::kBridge,
                              "$T -A OUTPUT -m conntrack --ctstate INVALID -j ACCEPT", "clean", "");
  accepted.stage_before = "none";
  PodTrial& legacy = inside("its own legacy rules, which nobody reads", false, Joint::kRouted,
                            "$L -A OUTPUT -m conntrack --ctstate INVALID -j DROP", "unknown", "");
  legacy.stage_before = "cannot tell";
  legacy.explained = "fin_dropped";  // it goes in itself, and reads them
  for (const auto& [name, rules] :
       {std::pair{"its own INPUT lets in what is tracked, and the host's FORWARD drops INVALID",
                  "$T -A INPUT -p tcp -m conntrack ! --ctstate ESTABLISHED -j DROP"},
        std::pair{"its own INPUT INVALID, and the host's FORWARD drops INVALID",
                  "$T -A INPUT -m conntrack --ctstate INVALID -j DROP"}}) {
    PodTrial& first = inside(name, false, Joint::kRouted, rules, "fin_dropped", "forward_drop");
    first.rules = FilledForPods(kForwardInvalid, false);
    // `check` has not seen that the host had an entry, too.
    first.checked = std::string(rules).find("INVALID") == std::string::npos ? "ack_dropped" : "peer_fin_dropped";
  }
  PodTrial& both = inside("its own OUTPUT INVALID and the host's FORWARD", false, Joint::kBridge, kOutputInvalid,
                          "fin_dropped", "local_drop");
  both.rules = FilledForPods(kForwardInvalid, false);
  group.Lossy("the host's FORWARD INVALID", false, Joint::kBridge, kForwardInvalid, "fin_dropped");
  group.Lossy("the host's FORWARD INVALID", true, Joint::kCalico, kForwardInvalid, "fin_dropped");
  PodTrial& multipath =
      group.Clean("the host's FORWARD INVALID, Multipath TCP", false, Joint::kBridge, kForwardInvalid, "none");
  multipath.multipath = true;
  group.LossyWithEntry("the host's FORWARD FIN", false, Joint::kRouted,
                       "$T -A FORWARD -p tcp --tcp-flags FIN FIN -j DROP", "fin_dropped");
  group.Lossy("the host's MASQUERADE", false, Joint::kBridge, kMasquerade, "nat_lost");
  group.Lossy("only the way out is accepted", false, Joint::kCalico, kOnlyTheWayOut, "ack_dropped");
  return group.Take();
}

}  // namespace

std::vector<PodTrialGroup> PodTrials() {
  return {{"PodsForwarded", Observed(AddForwardRules)},
          {"PodsWithEntry", Observed(AddWithEntry)},
          {"PodsFacts", Observed(AddFacts, AddBridged)},
          {"PodsTranslated", Observed(AddTranslations)},
          {"PodsReal", Observed(AddReal)},
          {"PodsEntered", Entered()}};
}

}  // namespace finwait::e2e
