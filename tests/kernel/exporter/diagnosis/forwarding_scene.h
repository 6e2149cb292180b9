#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exporter/diagnosis/forwarded_close.h"
#include "tests/lab/connection.h"
#include "tests/lab/namespace.h"

/// A host between its pods and a peer, each a network namespace: closes of the pods' connections are predicted from the
/// host's rules, then done for real.
namespace finwait::diagnosis {

/// How pods are joined to the host.
enum class Joint {
  kRoutedVeth,  ///< as Calico does: a veth for each pod, a route to its one address
  kBridge,      ///< as Docker does: veths that are ports of a bridge with the host's address
};

struct SceneOptions {
  IpFamily family = IpFamily::kIpv4;
  Joint joint = Joint::kBridge;
  /// The peer has a route to the pods' addresses; without, what comes from there is never answered.
  bool peer_knows_pods = true;
};

/// What is done to a connection.
enum class Act { kClose, kReset, kSend, kPeerClose };

/// One connection of a pod, both ends open.
struct OpenConnection {
  UniqueFd pod;
  UniqueFd peer;
  Endpoint local;
  Endpoint remote;
  bool pod_opened = true;
  bool translated = false;  ///< the peer's socket has other ends than the pod's
  ConnectionHistory history;
  bool seen_tracked = false;

  const ConnectionHistory* Seen() const { return seen_tracked ? &history : nullptr; }
};

/// What the sockets showed: which packets passed. Nothing where they do not tell.
using Passed = std::map<firewall::eval::PacketKind, bool>;

class ForwardingScene {
 public:
  explicit ForwardingScene(const SceneOptions& options);
  ~ForwardingScene();
  ForwardingScene(const ForwardingScene&) = delete;
  ForwardingScene& operator=(const ForwardingScene&) = delete;

  const lab::Namespace& Host() const { return host_; }
  const lab::Namespace& Pod() const { return pod_; }
  const lab::Namespace& Peer() const { return peer_; }
  /// "iptables" or "ip6tables"; "ip" or "ip6".
  std::string Iptables() const { return four_ ? "iptables" : "ip6tables"; }
  std::string NftFamily() const { return four_ ? "ip" : "ip6"; }
  std::string PodAddress(int which = 0) const;
  std::string PeerAddress() const { return four_ ? "198.51.100.2" : "2001:db8:2::2"; }
  std::string HostAddress() const { return four_ ? "198.51.100.1" : "2001:db8:2::1"; }  ///< towards the peer
  /// Nobody's, for DNAT to lead away from.
  std::string VirtualAddress() const { return four_ ? "203.0.113.10" : "2001:db8:a::10"; }
  /// The device by which rules see the pod's packets come in.
  std::string PodDevice() const { return options_.joint == Joint::kBridge ? "br0" : "cali0"; }
  /// "192.0.2.2:80" or "[2001:db8:1::2]:80".
  std::string At(const std::string& address, int port) const;

  OpenConnection PodToPeer() const { return Open(pod_, PeerAddress(), 80, *peer_listener_, true); }
  OpenConnection PeerToPod() const { return Open(peer_, PodAddress(), 80, *pod_listener_, false); }
  /// To an address and a port that a rule translates to the peer, a pod's listener or none at all.
  OpenConnection PodTo(const std::string& address, std::uint16_t port, const lab::Listener& there) const {
    return Open(pod_, address, port, there, true);
  }
  OpenConnection PeerTo(const std::string& address, std::uint16_t port) const {
    return Open(peer_, address, port, *pod_listener_, false);
  }
  const lab::Listener& PeerListener() const { return *peer_listener_; }
  const lab::Listener& HostListener() const { return *host_listener_; }
  const lab::Listener& OtherPodListener() const { return *other_listener_; }

  /// What the host's table and devices tell of it, as `connection` is now.
  ForwardedConnection Describe(const OpenConnection& connection) const;
  /// All entries of the host's, gone.
  void FlushEntries() const;
  /// Runs `evaluate` inside the host with an evaluator of its rules as they are, in rounds.
  void Evaluate(const std::function<void(CloseEvaluator&)>& evaluate) const;
  ForwardedOutcome Fate(const OpenConnection& connection) const;
  /// Does it for real and tells which packets passed.
  static Passed Do(Act act, OpenConnection& connection);

 private:
  OpenConnection Open(const lab::Namespace& from, const std::string& address, std::uint16_t port,
                      const lab::Listener& there, bool pod_opened) const;
  void Join(const lab::Namespace& pod, int which);
  void AddAddress(const lab::Namespace& where, const std::string& device, const std::string& address) const;

  SceneOptions options_;
  bool four_;
  lab::Namespace host_;
  lab::Namespace pod_;
  lab::Namespace other_pod_;
  lab::Namespace peer_;
  pid_t process_ = 0;  // in the pod
  std::unique_ptr<lab::Listener> pod_listener_;
  std::unique_ptr<lab::Listener> other_listener_;
  std::unique_ptr<lab::Listener> peer_listener_;
  std::unique_ptr<lab::Listener> host_listener_;
};

}  // namespace finwait::diagnosis
