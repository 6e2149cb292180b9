#include "tests/kernel/exporter/diagnosis/forwarding_scene.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <stdexcept>

#include "collectors/firewall/read/fact_resolver.h"
#include "collectors/kernel/entry_join.h"
#include "collectors/kernel/links.h"
#include "collectors/sources/firewall.h"
#include "exporter/diagnosis/conntrack_activity.h"
#include "exporter/diagnosis/evaluation_rounds.h"
#include "tests/lab/host.h"
#include "tests/soon.h"

namespace finwait::diagnosis {
namespace {

using firewall::eval::OpenedBy;
using firewall::eval::PacketKind;
using firewall::eval::Tristate;

constexpr std::uint16_t kPort = 80;
enum TcpStateNumber { kEstablished = 1, kFinWait1 = 4, kFinWait2 = 5, kTimeWait = 6, kClosed = 7, kCloseWait = 8 };

tcp_info InfoOf(const UniqueFd& fd) {
  tcp_info info = {};
  socklen_t length = sizeof info;
  if (::getsockopt(fd.Get(), IPPROTO_TCP, TCP_INFO, &info, &length) != 0) {
    throw std::runtime_error("TCP_INFO");
  }
  return info;
}

bool HasInput(const UniqueFd& fd) {
  int waiting = 0;
  return ::ioctl(fd.Get(), FIONREAD, &waiting) == 0 && waiting > 0;
}

template <typename T>
T Get(Result<T> result) {
  if (!result) {
    throw std::runtime_error(result.error().message);
  }
  return std::move(*result);
}

// Whether what `from` sent arrived, which `arrived` tells; it did not if it was tried twice more.
bool Passes(const UniqueFd& from, const std::function<bool()>& arrived) {
  if (!lab::Eventually(
          [&] { return arrived() || InfoOf(from).tcpi_retransmits >= 2 || InfoOf(from).tcpi_state == kClosed; }, 20)) {
    throw std::runtime_error("a packet neither arrived nor was tried again");
  }
  return arrived();
}

}  // namespace

ForwardingScene::ForwardingScene(const SceneOptions& options)
    : options_(options), four_(options.family == IpFamily::kIpv4) {
  host_.Sysctl("net.ipv4.ip_forward", "1");
  host_.Sysctl("net.ipv6.conf.all.forwarding", "1");
  if (options_.joint == Joint::kBridge) {
    host_.Shell("ip link add br0 type bridge forward_delay 0");
    AddAddress(host_, "br0", four_ ? "192.0.2.1/24" : "2001:db8:1::1/64");
  }
  Join(pod_, 0);
  Join(other_pod_, 1);
  host_.Shell("ip link add up0 type veth peer name eth0 netns " + peer_.Path());
  AddAddress(host_, "up0", HostAddress() + (four_ ? "/24" : "/64"));
  AddAddress(peer_, "eth0", PeerAddress() + (four_ ? "/24" : "/64"));
  if (options_.peer_knows_pods) {
    peer_.Shell("ip route add " + std::string(four_ ? "192.0.2.0/24" : "2001:db8:1::/64") + " via " + HostAddress());
  }
  // The kernel tells the IPv6 stack of a new link up to a second late; until then it loses what is sent.
  host_.Shell(
      "for d in up0 cali0 cali1; do for i in $(seq 100); do ip -o link show $d | grep -q 'state UP' && continue 2;"
      " sleep 0.05; done; exit 1; done");
  process_ = pod_.Spawn({"sleep", "600"});
  pod_listener_ = std::make_unique<lab::Listener>(pod_, PodAddress(), kPort);
  other_listener_ = std::make_unique<lab::Listener>(other_pod_, PodAddress(1), kPort);
  peer_listener_ = std::make_unique<lab::Listener>(peer_, PeerAddress(), kPort);
  host_listener_ = std::make_unique<lab::Listener>(host_, HostAddress(), kPort);
}

ForwardingScene::~ForwardingScene() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

std::string ForwardingScene::PodAddress(int which) const {
  return (four_ ? "192.0.2." : "2001:db8:1::") + std::to_string(2 + which);
}

std::string ForwardingScene::At(const std::string& address, int port) const {
  return (four_ ? address : "[" + address + "]") + ":" + std::to_string(port);
}

void ForwardingScene::AddAddress(const lab::Namespace& where, const std::string& device,
                                 const std::string& address) const {
  where.Sysctl("net.ipv6.conf." + device + ".accept_dad", "0");
  where.Shell("ip link set " + device + " up; ip address add " + address + " dev " + device + (four_ ? "" : " nodad"));
}

void ForwardingScene::Join(const lab::Namespace& pod, int which) {
  const std::string near = "cali" + std::to_string(which);
  host_.Shell("ip link add " + near + " type veth peer name eth0 netns " + pod.Path());
  if (options_.joint == Joint::kBridge) {
    host_.Shell("ip link set " + near + " master br0 up");
    AddAddress(pod, "eth0", PodAddress(which) + (four_ ? "/24" : "/64"));
    pod.Shell(std::string("ip route add default via ") + (four_ ? "192.0.2.1" : "2001:db8:1::1"));
    return;
  }
  const std::string gateway = four_ ? "169.254.1.1" : "fe80::1";
  const std::string one = four_ ? "/32" : "/128";
  AddAddress(host_, near, gateway + (four_ ? "/32" : "/64"));
  AddAddress(pod, "eth0", PodAddress(which) + one);
  host_.Shell("ip route add " + PodAddress(which) + one + " dev " + near);
  pod.Shell((four_ ? "ip route add 169.254.1.1 dev eth0 scope link; " : "") + ("ip route add default via " + gateway) +
            " dev eth0");
}

OpenConnection ForwardingScene::Open(const lab::Namespace& from, const std::string& address, std::uint16_t port,
                                     const lab::Listener& there, bool pod_opened) const {
  OpenConnection open;
  open.pod_opened = pod_opened;
  UniqueFd& client = pod_opened ? open.pod : open.peer;
  UniqueFd& server = pod_opened ? open.peer : open.pod;
  client = lab::Connect(from, address, port);
  server = there.Accept();
  open.local = *Endpoint::Parse(lab::LocalEndpoint(open.pod));
  open.remote = *Endpoint::Parse(lab::PeerEndpoint(open.pod));
  open.translated =
      lab::LocalEndpoint(open.peer) != open.remote.Text() || lab::PeerEndpoint(open.peer) != open.local.Text();
  host_.Run([&] {
    kernel::TcpSocket socket;
    socket.local = open.local;
    socket.peer = open.remote;
    kernel::SocketTable sockets = {socket};
    kernel::EntryJoin join(std::make_shared<kernel::KnownZones>());
    Get(join.Join(lab::HostHere(), Soon(), sockets));
    const kernel::SocketEntry entry = sockets[0].entry;
    open.seen_tracked = entry.tracking == kernel::Tracking::kTracked;
    open.history.entry_state = entry.state;
    open.history.source_nat = entry.source_nat;
    open.history.destination_nat = entry.destination_nat;
    open.history.translation = entry.translation;
  });
  return open;
}

ForwardedConnection ForwardingScene::Describe(const OpenConnection& connection) const {
  ForwardedConnection forwarded;
  forwarded.local = connection.local;
  forwarded.peer = connection.remote;
  forwarded.opened_by = connection.pod_opened ? OpenedBy::kLocal : OpenedBy::kPeer;
  forwarded.tracked = Tristate::kYes;
  host_.Run([&] {
    const kernel::Host host = lab::HostHere();
    const kernel::Links links = Get(kernel::Links::Read(host, Soon()));
    auto channel = Get(host.open_channel(NETLINK_ROUTE));
    const auto joined = links.LinkTo(Get(kernel::NamespaceNumber(channel, process_, Soon())));
    forwarded.host_side = joined ? HostSideOf(*joined) : std::nullopt;
    if (!forwarded.host_side || PassesNoHook(forwarded)) {
      throw std::runtime_error("which device leads to the pod");
    }
  });
  return forwarded;
}

void ForwardingScene::FlushEntries() const { host_.Shell("conntrack -F 2>/dev/null"); }

void ForwardingScene::Evaluate(const std::function<void(CloseEvaluator&)>& evaluate) const {
  const bool loose = host_.Shell("sysctl -n net.netfilter.nf_conntrack_tcp_loose") == "1\n";
  host_.Run([&] {
    const kernel::Host host = lab::HostHere();
    sources::FirewallCollector collector(host);
    const auto collected = collector.Collect(Deadline::After(std::chrono::seconds(30)));
    if (!collected || !collected->gaps.empty()) {
      throw std::runtime_error(collected ? collected->gaps.front().message : collected.error().message);
    }
    const auto ruleset = dynamic_cast<const sources::FirewallSample&>(*collected->data).ruleset;
    firewall::read::FactResolver resolver(host);
    const auto facts = std::make_shared<firewall::facts::FactStore>();
    EvaluationSettings settings;
    settings.tcp_loose = loose;
    settings.conntrack_active = MayNeedConntrack(*ruleset, resolver, *facts);
    CloseEvaluator evaluator(ruleset, settings, facts);
    EvaluateInRounds(evaluator, &resolver, [&] { evaluate(evaluator); });
  });
}

ForwardedOutcome ForwardingScene::Fate(const OpenConnection& connection) const {
  ForwardedOutcome outcome;
  const ForwardedConnection forwarded = Describe(connection);
  Evaluate(
      [&](CloseEvaluator& evaluator) { outcome = EvaluateForwardedClose(evaluator, forwarded, connection.Seen()); });
  return outcome;
}

Passed ForwardingScene::Do(Act act, OpenConnection& connection) {
  const UniqueFd& pod = connection.pod;
  const UniqueFd& peer = connection.peer;
  const auto state = [](const UniqueFd& fd) { return InfoOf(fd).tcpi_state; };
  Passed passed;
  switch (act) {
    case Act::kClose: {
      ::shutdown(pod.Get(), SHUT_WR);
      const bool arrived = Passes(pod, [&] { return state(peer) == kCloseWait || state(pod) == kFinWait2; });
      passed[PacketKind::kFin] = arrived;
      if (arrived) {
        passed[PacketKind::kAck] = Passes(pod, [&] { return state(pod) == kFinWait2; });
      }
      break;
    }
    case Act::kReset: {
      const linger at_once = {1, 0};
      ::setsockopt(pod.Get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      connection.pod.Reset();
      passed[PacketKind::kRst] = lab::Eventually([&] { return state(peer) == kClosed; }, 0.3);
      break;
    }
    case Act::kSend:
      if (::send(pod.Get(), "x", 1, MSG_NOSIGNAL) != 1) {
        throw std::runtime_error("send");
      }
      passed[PacketKind::kData] = Passes(pod, [&] { return HasInput(peer); });
      break;
    case Act::kPeerClose:
      ::shutdown(peer.Get(), SHUT_WR);
      passed[PacketKind::kPeerFin] = Passes(peer, [&] { return state(pod) == kCloseWait || state(peer) == kFinWait2; });
      break;
  }
  return passed;
}

}  // namespace finwait::diagnosis
