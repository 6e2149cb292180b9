#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/e2e/outcome.h"

/// Scenarios of the risk matrix whose connections are a pod's: another network namespace behind this host. `explain`,
/// `check` and the service are asked on the host, then the connections are closed for real.
namespace finwait::e2e {

/// How the pod is joined to the host.
enum class Joint {
  kRouted,   ///< a veth with an address of the host's at its end
  kCalico,   ///< a veth without a network of its own: routes to single addresses
  kBridge,   ///< a veth that is a port of docker0
  kMacvlan,  ///< a macvlan on the host's device, which passes none of the host's hooks
  kNested,   ///< behind another namespace that forwards, as in kind
};

/// What the pod's connections lead to.
enum class Far {
  kPeer,      ///< the machine beyond the host
  kOtherPod,  ///< a second pod beside it
  kItself,    ///< the pod itself, by an address that is translated back to it
  kHost,      ///< a port of the host's
};

enum class PodEnd {
  kClose,
  kReset,
  kShutdown,
  kAfterPeer,  ///< the peers have closed first
  kPeer,       ///< the peers close, this end does not
};

struct PodTrial {
  std::string name;
  std::string rules;      ///< a shell script, of the host, before anything is opened
  std::string pod_rules;  ///< the same, of the pod
  std::string prepare;    ///< of the host, before `rules`
  std::string changes;    ///< of the host, once the connections are open
  bool enter = false;     ///< --namespaces=enter, else observe
  bool ipv6 = false;
  Joint joint = Joint::kRouted;
  Far far = Far::kPeer;
  std::string address;      ///< to connect to, "" for that of `far`
  bool peer_opens = false;  ///< the peer connects to the pod, by `address` and `port`
  std::uint16_t port = 80;
  bool masqueraded = false;  ///< the peer has no way back to the pod's own address
  int mark = 0;              ///< SO_MARK of the pod's sockets
  bool multipath = false;    ///< of Multipath TCP
  PodEnd end = PodEnd::kClose;
  bool entries_stay = false;
  bool peer_vanishes = false;  ///< before the end
  // What must come.
  std::string fate;          ///< "clean", or one of the label `fate`
  std::string stage_before;  ///< just before the end
  std::string cause;         ///< of the sockets stuck afterwards, "" where none is stuck
  std::string stage_after;
  std::optional<int> lost;  ///< nothing: all where `cause` is not empty, else none
  /// What `check` says of those at risk, which has seen no entry: what never had one in the host's table has not lost
  /// one. Nothing: `fate`.
  std::optional<std::string> checked;
  /// What `explain` says: it does not know who opened the connection, and reads more of a pod's rules. Nothing: `fate`.
  std::optional<std::string> explained;
  int ends = 1;  ///< of each connection, that are in namespaces which are looked at
};

/// Plays all, several at a time, each in process namespaces of its own: what /proc shows of others' pods must not be
/// counted. Outcomes are in the order of `trials`. The caller has no threads.
std::vector<Outcome> PlayApart(const std::vector<PodTrial>& trials);

struct PodTrialGroup {
  std::string name;
  std::vector<PodTrial> trials;
};

std::vector<PodTrialGroup> PodTrials();

}  // namespace finwait::e2e
