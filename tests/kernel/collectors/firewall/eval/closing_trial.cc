#include "tests/kernel/collectors/firewall/eval/closing_trial.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "collectors/firewall/analysis/conntrack_use.h"
#include "collectors/firewall/read/fact_resolver.h"
#include "collectors/sources/firewall.h"
#include "exporter/diagnosis/connection_facts.h"
#include "exporter/diagnosis/conntrack_activity.h"
#include "exporter/diagnosis/evaluation_rounds.h"
#include "tests/lab/host.h"

namespace finwait::firewall::eval {
namespace {

const char* const kLocal[2][2] = {{"192.0.2.1", "192.0.2.3"}, {"2001:db8::1", "2001:db8::3"}};
const char* const kPeer[2][2] = {{"192.0.2.2", "192.0.2.4"}, {"2001:db8::2", "2001:db8::4"}};

enum TcpStateNumber { kEstablished = 1, kFinWait1 = 4, kFinWait2 = 5, kClosed = 7, kCloseWait = 8 };

// A row of /proc/net/tcp or tcp6.
struct Row {
  int state = 0;
  int timer = 0;  // 1 retransmission, 4 window probe
  unsigned retransmits = 0;
  unsigned probes = 0;

  // What it sent was not answered, or did not even leave.
  bool IsTryingAgain() const { return (timer == 4 && probes >= 1) || (timer == 1 && retransmits >= 1); }
};

std::string Hex(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    const auto& four = reinterpret_cast<const sockaddr_in&>(storage);
    return ProcEndpoint(&four.sin_addr, sizeof four.sin_addr, ntohs(four.sin_port));
  }
  const auto& six = reinterpret_cast<const sockaddr_in6&>(storage);
  return ProcEndpoint(&six.sin6_addr, sizeof six.sin6_addr, ntohs(six.sin6_port));
}

std::string LocalHex(const UniqueFd& fd) {
  sockaddr_storage storage = {};
  socklen_t length = sizeof storage;
  ::getsockname(fd.Get(), reinterpret_cast<sockaddr*>(&storage), &length);
  return Hex(storage);
}

std::string PeerHex(const UniqueFd& fd) {
  sockaddr_storage storage = {};
  socklen_t length = sizeof storage;
  ::getpeername(fd.Get(), reinterpret_cast<sockaddr*>(&storage), &length);
  return Hex(storage);
}

// By "local remote".
std::map<std::string, Row> ReadRows() {
  std::map<std::string, Row> rows;
  for (const char* path : {"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"}) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
      std::istringstream words(line);
      std::string slot, local, remote, state, queues, timer, retransmits;
      unsigned uid = 0;
      unsigned probes = 0;
      words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> probes;
      rows[local + " " + remote] = {static_cast<int>(std::stoul(state, nullptr, 16)), std::stoi(timer.substr(0, 2)),
                                    static_cast<unsigned>(std::stoul(retransmits, nullptr, 16)), probes};
    }
  }
  return rows;
}

tcp_info InfoOf(const UniqueFd& fd) {
  tcp_info info = {};
  socklen_t length = sizeof info;
  ::getsockopt(fd.Get(), IPPROTO_TCP, TCP_INFO, &info, &length);
  return info;
}

bool HasInput(const UniqueFd& fd) {
  int waiting = 0;
  return ::ioctl(fd.Get(), SIOCINQ, &waiting) == 0 && waiting > 0;
}

void CloseAtOnce(UniqueFd& fd) {
  if (fd) {
    const linger at_once = {1, 0};
    ::setsockopt(fd.Get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    fd.Reset();
  }
}

// The socket goes without a word to its peer, as with a host that has crashed.
void Vanish(UniqueFd& fd) {
  const int on = 1;
  if (::setsockopt(fd.Get(), IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) != 0) {
    throw std::runtime_error("TCP_REPAIR");
  }
  fd.Reset();
}

std::string_view KindName(PacketKind kind) {
  switch (kind) {
    case PacketKind::kFin:
      return "fin";
    case PacketKind::kRst:
      return "rst";
    case PacketKind::kData:
      return "data";
    case PacketKind::kAck:
      return "ack";
    case PacketKind::kPeerFin:
      return "peer_fin";
    default:
      return "syn";
  }
}

}  // namespace

std::string TrialPacket::Describe() const {
  std::ostringstream text;
  text << (resets ? "the answering reset" : KindName(kind)) << " of " << Name(connection.family)
       << (connection.loopback ? " loopback" : "") << (connection.inbound ? " inbound" : " outbound") << " port "
       << connection.port << " local " << connection.local_address << " peer " << connection.peer_address
       << ": predicted " << Name(verdict.disposition);
  if (verdict.state) {
    text << " as " << Name(*verdict.state);
  }
  if (verdict.hook) {
    text << " at " << Name(*verdict.hook);
  }
  if (verdict.location) {
    text << " by " << Name(verdict.location->backend) << " " << verdict.location->table << " "
         << verdict.location->chain;
    if (verdict.location->handle) {
      text << " handle " << *verdict.location->handle;
    } else if (verdict.location->index) {
      text << " rule " << *verdict.location->index;
    } else {
      text << " policy";
    }
  }
  if (!verdict.reason.empty()) {
    text << " (" << verdict.reason << ")";
  }
  text << ", seen " << (!passed ? "nothing" : *passed ? "passing" : "stopped");
  return text.str();
}

bool TrialPacket::IsWrong() const {
  if (!passed || verdict.disposition == Disposition::kUnknown) {
    return false;
  }
  return *passed != (verdict.disposition == Disposition::kAccept);
}

std::string TrialAddress(bool ipv6, bool peer, unsigned which) { return (peer ? kPeer : kLocal)[ipv6 ? 1 : 0][which]; }

std::string VirtualAddress(bool ipv6, bool loopback, unsigned peer_address) {
  return (ipv6 ? "2001:db8::" : "192.0.2.") + std::to_string((loopback ? 20 : 10) + peer_address);
}

std::string TrialFate::Describe() const {
  std::ostringstream text;
  text << "close of " << Name(connection.family) << (connection.loopback ? " loopback" : "")
       << (connection.inbound ? " inbound" : " outbound") << " port " << connection.port << " local "
       << connection.local_address << " peer " << connection.peer_address
       << (connection.through == TrialConnection::Through::kNothing          ? ""
           : connection.through == TrialConnection::Through::kVirtualAddress ? " through a virtual address"
                                                                             : " through a service port")
       << (translated ? ", translated" : "") << ": predicted " << Name(predicted)
       << (reason.empty() ? "" : " (" + reason + ")") << ", seen "
       << (closed        ? "closing"
           : fin_arrived ? "without an answer"
           : fin_left    ? "going astray"
                         : "not leaving");
  return text.str();
}

bool TrialFate::IsWrong() const {
  switch (predicted) {
    case diagnosis::Fate::kClean:
    case diagnosis::Fate::kPeerFinDropped:  // this end closes first
      return !closed;
    case diagnosis::Fate::kFinDropped:  // over loopback it may leave, and be dropped coming in
      return fin_arrived || (fin_left && !connection.loopback);
    case diagnosis::Fate::kAckDropped:
      return !fin_arrived || closed;
    case diagnosis::Fate::kNatLost:
      return fin_arrived || !translated;
    case diagnosis::Fate::kPeerDecides:  // whether the peer closes is its own affair
      return !fin_arrived;
    case diagnosis::Fate::kUnknown:
      return false;
  }
  return false;
}

struct ClosingTrial::Live {
  TrialConnection connection;
  TrialRole role = TrialRole::kClose;
  UniqueFd local;
  UniqueFd peer;
  Endpoint local_end;
  Endpoint peer_end;
  std::string row;  // its key among the rows of the namespace
  std::string peer_row;
  bool translated = false;
  diagnosis::CloseOutcome evaluation;
  bool fin_left = false;
  bool fin_arrived = false;
  bool closed = false;  // kClose: this end, too
  std::map<PacketKind, TraversalResult> verdicts;
  std::optional<TraversalResult> reset;  // of kPeerGone
  std::map<PacketKind, bool> passed;
  bool decided = false;
};

ClosingTrial::ClosingTrial() : tap_(wire_.local) {
  wire_.local.Shell("ip address add 192.0.2.3/24 dev veth0; ip address add 2001:db8::3/32 dev veth0 nodad");
  wire_.peer.Shell("ip address add 192.0.2.4/24 dev veth0; ip address add 2001:db8::4/32 dev veth0 nodad");
  // Every address that a packet may go to has a neighbour that is known, nobody's included: what waits for one has left
  // its socket and comes to no rule.
  for (const bool six : {false, true}) {
    for (const unsigned which : {0U, 1U}) {
      for (const std::string& address :
           {TrialAddress(six, true, which), VirtualAddress(six, false, which), VirtualAddress(six, true, which)}) {
        wire_.local.Shell("ip neighbour replace " + address + " lladdr " + lab::Wire::kPeerMac +
                          " dev veth0 nud permanent");
      }
    }
  }
  for (const std::uint16_t port : kPorts) {
    for (const unsigned six : {0U, 1U}) {
      for (const unsigned which : {0U, 1U}) {
        const Place place(six, which, port);
        peer_listeners_[place] = std::make_unique<lab::Listener>(wire_.peer, kPeer[six][which], port);
        local_listeners_[place] = std::make_unique<lab::Listener>(wire_.local, kLocal[six][which], port);
      }
    }
  }
}

void ClosingTrial::SetTcpLoose(bool loose) {
  loose_ = loose;
  wire_.local.Sysctl("net.netfilter.nf_conntrack_tcp_loose", loose ? "1" : "0");
}

void ClosingTrial::Reset() {
  wire_.local.Shell("nft flush ruleset");
  wire_.local.Run([&] {
    std::ifstream names("/proc/thread-self/net/ip_tables_names");
    std::ifstream names6("/proc/thread-self/net/ip6_tables_names");
    const auto empty = [&](std::ifstream& from, const char* restore) {
      std::string script;
      std::string table;
      while (std::getline(from, table)) {
        script += "*" + table + "\n";
        const bool input = table != "raw";
        script += table == "filter" || table == "security" ? "" : ":PREROUTING ACCEPT\n";
        script += input ? ":INPUT ACCEPT\n" : "";
        script += table == "raw" || table == "nat" ? "" : ":FORWARD ACCEPT\n";
        script += ":OUTPUT ACCEPT\n";
        script += table == "mangle" || table == "nat" ? ":POSTROUTING ACCEPT\n" : "";
        script += "COMMIT\n";
      }
      if (!script.empty()) {
        const lab::CommandOutput output = wire_.local.Command({restore}, script);
        if (output.exit_code != 0) {
          throw std::runtime_error(output.err + script);
        }
      }
    };
    empty(names, "iptables-legacy-restore");
    empty(names6, "ip6tables-legacy-restore");
  });
}

ClosingTrial::Live ClosingTrial::Open(const TrialConnection& connection, TrialRole role) {
  const unsigned six = connection.family == IpFamily::kIpv6 ? 1 : 0;
  const std::string here = kLocal[six][connection.local_address];
  const bool virtual_address = connection.through == TrialConnection::Through::kVirtualAddress;
  const std::string there = virtual_address ? VirtualAddress(six == 1, connection.loopback, connection.peer_address)
                            : connection.loopback ? kLocal[six][connection.peer_address]
                                                  : kPeer[six][connection.peer_address];
  const std::uint16_t port =
      connection.through == TrialConnection::Through::kServicePort ? ServicePort(connection.port) : connection.port;
  const lab::Namespace& far = connection.loopback ? wire_.local : wire_.peer;
  Live live;
  live.connection = connection;
  live.role = role;
  if (connection.inbound) {
    live.peer = lab::Connect(far, here, port, there);
    live.local = local_listeners_.at({six, connection.local_address, connection.port})->Accept();
  } else {
    live.local = lab::Connect(wire_.local, there, port, here);
    const auto& listeners = connection.loopback ? local_listeners_ : peer_listeners_;
    live.peer = listeners.at({six, connection.peer_address, connection.port})->Accept();
  }
  if (connection.mark != 0) {
    ::setsockopt(live.local.Get(), SOL_SOCKET, SO_MARK, &connection.mark, sizeof connection.mark);
  }
  live.local_end = *Endpoint::Parse(lab::LocalEndpoint(live.local));
  live.peer_end = *Endpoint::Parse(lab::PeerEndpoint(live.local));
  live.translated =
      lab::LocalEndpoint(live.peer) != live.peer_end.Text() || lab::PeerEndpoint(live.peer) != live.local_end.Text();
  live.row = LocalHex(live.local) + " " + PeerHex(live.local);
  live.peer_row = PeerHex(live.local) + " " + LocalHex(live.local);
  if (role == TrialRole::kReset) {  // unread data turn the close into a reset
    if (::send(live.peer.Get(), "x", 1, MSG_NOSIGNAL) != 1 || !lab::Eventually([&] { return HasInput(live.local); })) {
      throw std::runtime_error("unread data did not arrive");
    }
  }
  return live;
}

void ClosingTrial::Evaluate(std::vector<Live>& all, bool never_seen) {
  loose_ =
      wire_.local.Shell("sysctl -n net.netfilter.nf_conntrack_tcp_loose") == "1\n";  // a ruleset's script may set it
  wire_.local.Run([&] {
    const kernel::Host host = lab::HostHere();
    sources::FirewallCollector collector(host);
    const Deadline deadline = Deadline::After(std::chrono::seconds(30));
    auto collected = collector.Collect(deadline);
    if (!collected || !collected->gaps.empty()) {
      throw std::runtime_error("read the ruleset: " +
                               (collected ? collected->gaps.front().message : collected.error().message));
    }
    ruleset_ = dynamic_cast<const sources::FirewallSample&>(*collected->data).ruleset;
    read::FactResolver resolver(host);
    const auto facts = std::make_shared<facts::FactStore>();
    diagnosis::EvaluationSettings settings;
    settings.tcp_loose = loose_;
    settings.conntrack_active = diagnosis::MayNeedConntrack(*ruleset_, resolver, *facts);
    diagnosis::CloseEvaluator evaluator(ruleset_, settings, facts);
    EvaluateInRounds(evaluator, &resolver, [&] {
      closed_ = {loose_, {}, {}};
      EvaluateEach(all, never_seen, evaluator);
    });
    if (observer_) {
      observer_(closed_);
    }
  });
}

void ClosingTrial::EvaluateEach(std::vector<Live>& all, bool never_seen, diagnosis::CloseEvaluator& evaluator) {
  for (Live& live : all) {
    auto connection = diagnosis::ConnectionBetween({live.local_end, live.peer_end}, evaluator.Packets().Facts());
    if (!connection) {
      throw std::runtime_error(connection.error().message);
    }
    for (SocketFacts* socket : {&connection->local_socket, &connection->peer_socket}) {
      socket->group = ::getegid();  // which nobody outside can see
      socket->time_to_live = 64;
    }
    diagnosis::ConnectionHistory history;
    history.entry_state = kernel::ConntrackTcpState::kEstablished;
    history.source_nat = live.translated;
    const diagnosis::ConnectionHistory* seen = never_seen ? nullptr : &history;
    connection->translated = evaluator.Packets().TranslationOf(*connection, seen).Any();
    const bool told = connection->opened_by != OpenedBy::kUnknown;
    if (told && connection->opened_by != (live.connection.inbound ? OpenedBy::kPeer : OpenedBy::kLocal)) {
      throw std::runtime_error("which end opened a connection was told wrongly");
    }
    closed_.all.push_back({*connection, {}});
    const auto predict = [&](PacketKind kind) {
      live.verdicts[kind] = evaluator.Packets().EvaluatePath(*connection, kind);
      closed_.all.back().passed[kind] = std::nullopt;
    };
    switch (live.role) {
      case TrialRole::kClose:
        predict(PacketKind::kFin);
        predict(PacketKind::kAck);
        live.evaluation = evaluator.Evaluate(*connection, seen);
        break;
      case TrialRole::kReset:
        predict(PacketKind::kRst);
        break;
      case TrialRole::kSend:
        predict(PacketKind::kData);
        break;
      case TrialRole::kPeerClose:
        predict(PacketKind::kPeerFin);
        break;
      case TrialRole::kPeerGone:
        predict(PacketKind::kFin);
        live.reset = evaluator.Packets().EvaluatePeersReset(*connection);
        break;
    }
  }
}

void ClosingTrial::Act(std::vector<Live>& all) {
  for (Live& live : all) {
    switch (live.role) {
      case TrialRole::kClose:
      case TrialRole::kReset:
        live.local.Reset();
        break;
      case TrialRole::kSend:
        ::send(live.local.Get(), "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        break;
      case TrialRole::kPeerClose:
        if (live.connection.loopback) {
          live.peer.Reset();  // as a process closes: the socket becomes an orphan
        } else {
          ::shutdown(live.peer.Get(), SHUT_WR);
        }
        break;
      case TrialRole::kPeerGone:
        Vanish(live.peer);
        live.local.Reset();
        break;
    }
  }
}

void ClosingTrial::Observe(std::vector<Live>& all) {
  const auto start = std::chrono::steady_clock::now();
  const auto look = [&] {
    std::map<std::string, Row> rows;  // before the peers' states, which are then at least as new
    wire_.local.Run([&] { rows = ReadRows(); });
    const auto elapsed = std::chrono::steady_clock::now() - start;
    bool done = true;
    for (Live& live : all) {
      if (live.decided) {
        continue;
      }
      const tcp_info peer = live.peer ? InfoOf(live.peer) : tcp_info{};
      const auto row = rows.find(live.row);
      const auto peer_row = rows.find(live.peer_row);  // loopback only
      switch (live.role) {
        case TrialRole::kClose:
          if (peer.tcpi_state == kClosed) {  // its answer was rejected with a reset
            live.passed = {{PacketKind::kFin, true}, {PacketKind::kAck, false}};
            live.fin_left = live.fin_arrived = true;
            // It answers the next try with a reset of its own, which ends this socket if it comes in.
            live.closed = row == rows.end();
            live.decided = live.closed || row->second.retransmits >= 2;
            break;
          }
          if (peer.tcpi_state == kCloseWait) {
            live.passed[PacketKind::kFin] = true;
            live.fin_left = live.fin_arrived = true;
            if (row == rows.end() || row->second.state == kFinWait2) {
              live.passed[PacketKind::kAck] = live.closed = true;
            } else if (row->second.timer == 1 && row->second.retransmits >= 1) {
              live.passed[PacketKind::kAck] = false;
            }
          } else if (row == rows.end() || row->second.IsTryingAgain()) {
            // Gone: somebody else, whom an untranslated FIN reached, or a rule of this host answered with a reset.
            live.fin_left = row == rows.end() ? tap_.Saw(live.row) : row->second.timer == 1;
            live.passed[PacketKind::kFin] = live.translated && live.fin_left;
            live.decided = true;
          }
          live.decided = live.decided || live.passed.contains(PacketKind::kAck);
          break;
        case TrialRole::kReset:  // it is sent once, at the close
          if (peer.tcpi_state == kClosed || elapsed > std::chrono::milliseconds(150)) {
            live.passed[PacketKind::kRst] = peer.tcpi_state == kClosed;
          }
          break;
        case TrialRole::kSend: {
          const tcp_info local = InfoOf(live.local);
          if (HasInput(live.peer)) {
            live.passed[PacketKind::kData] = true;
          } else if (local.tcpi_state == kClosed || local.tcpi_retransmits >= 1 || local.tcpi_probes >= 1) {
            live.passed[PacketKind::kData] = false;
          }
          break;
        }
        case TrialRole::kPeerClose:
          // Closed: it arrived, and the answer (translated to somebody else, or rejected) came back as a reset.
          if (const auto state = InfoOf(live.local).tcpi_state; state == kCloseWait || state == kClosed) {
            live.passed[PacketKind::kPeerFin] = true;
          } else if (live.connection.loopback ? peer_row == rows.end() || peer_row->second.IsTryingAgain()
                                              : peer.tcpi_state == kClosed || peer.tcpi_retransmits >= 1) {
            live.passed[PacketKind::kPeerFin] = false;
          }
          break;
        case TrialRole::kPeerGone:
          if (row == rows.end()) {
            live.passed[PacketKind::kFin] = true;
          } else if (row->second.IsTryingAgain()) {
            live.passed[PacketKind::kFin] = false;  // the FIN, or its answer
          }
          break;
      }
      if (live.role != TrialRole::kClose) {
        live.decided = !live.passed.empty();
      }
      done = done && live.decided;
    }
    return done;
  };
  lab::Eventually(look, 5);
}

// What a socket shows that goes on trying is the loss of either; whether of the FIN, its own verdict says, which is
// held against the kernel by others.
void ClosingTrial::AddReset(const Live& live, TrialOutcome& outcome) {
  const auto gone = live.passed.find(PacketKind::kFin);
  if (live.verdicts.at(PacketKind::kFin).disposition == Disposition::kAccept && gone != live.passed.end()) {
    outcome.packets.push_back({live.connection, PacketKind::kFin, *live.reset, gone->second, true});
  }
}

TrialOutcome ClosingTrial::Run(const std::vector<TrialConnection>& connections, const std::vector<TrialRole>& roles,
                               const std::function<void(const lab::Namespace&)>& load_first,
                               const std::function<void(const lab::Namespace&)>& load, bool never_seen) {
  std::vector<Live> all;
  try {
    if (load_first) {
      load_first(wire_.local);
    }
    for (const TrialConnection& connection : connections) {
      for (const TrialRole role : roles) {
        if (role == TrialRole::kPeerGone && connection.loopback) {
          continue;
        }
        Live live = Open(connection, role);
        if (live.translated && role != TrialRole::kClose && role != TrialRole::kSend) {
          CloseAtOnce(live.peer);
          CloseAtOnce(live.local);
        } else {
          all.push_back(std::move(live));
        }
      }
    }
    load(wire_.local);
  } catch (...) {
    Reset();
    throw;
  }
  wire_.local.Command({"conntrack", "-F"});
  Evaluate(all, never_seen);
  tap_.Clear();
  Act(all);
  Observe(all);
  Reset();
  TrialOutcome outcome;
  outcome.pairs = all.size();
  for (std::size_t i = 0; i < all.size(); ++i) {
    Live& live = all[i];
    if (live.role == TrialRole::kPeerGone) {
      AddReset(live, outcome);
      CloseAtOnce(live.local);
      continue;
    }
    for (const auto& [kind, passed] : live.passed) {
      closed_.all[i].passed[kind] = passed;
    }
    for (const auto& [kind, verdict] : live.verdicts) {
      const auto passed = live.passed.find(kind);
      outcome.packets.push_back(
          {live.connection, kind, verdict, passed != live.passed.end() ? std::optional(passed->second) : std::nullopt});
    }
    if (live.role == TrialRole::kClose && live.decided) {
      outcome.fates.push_back({live.connection, live.translated, live.evaluation.fate, live.evaluation.reason,
                               live.fin_left, live.fin_arrived, live.closed, live.local_end, live.peer_end});
    }
    CloseAtOnce(live.peer);
    CloseAtOnce(live.local);
  }
  return outcome;
}

}  // namespace finwait::firewall::eval
