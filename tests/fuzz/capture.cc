// Records what a real kernel answers, as seeds: capture_fuzz_seeds FOLDER writes FOLDER/TARGET/NAME. It makes networks,
// connections and rulesets of its own in the lab; tools/fuzz.sh --capture runs it and minimises what comes out.
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "collectors/firewall/read/fact_resolver.h"
#include "collectors/firewall/read/legacy_reader.h"
#include "collectors/firewall/read/nft_reader.h"
#include "collectors/kernel/conntrack_event_filter.h"
#include "collectors/kernel/netlink/messages.h"
#include "collectors/kernel/own_addresses.h"
#include "collectors/kernel/route.h"
#include "collectors/sources/conntrack_stats.h"
#include "collectors/sources/conntrack_table.h"
#include "collectors/sources/sockets.h"
#include "collectors/sources/tracking.h"
#include "exporter/channel/answerer.h"
#include "exporter/channel/messages.h"
#include "exporter/channel/reader_client.h"
#include "exporter/channel/snapshot_codec.h"
#include "exporter/diagnosis/diagnostician.h"
#include "exporter/scheduling/sampler.h"
#include "tests/fuzz/recording.h"
#include "tests/lab/connection.h"
#include "tests/lab/host.h"
#include "tests/lab/namespace.h"
#include "tests/lab/paths.h"
#include "tests/soon.h"

namespace finwait::fuzz {
namespace {

using lab::Namespace;

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw std::runtime_error("read " + path.string());
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

class Seeds {
 public:
  explicit Seeds(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void Write(const std::string& target, const std::string& name, std::span<const std::byte> bytes) const {
    std::filesystem::create_directories(folder_ / target);
    std::ofstream file(folder_ / target / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) {
      throw std::runtime_error("write " + name);
    }
  }
  void Write(const std::string& target, const std::string& name, const Datagrams& datagrams) const {
    Write(target, name, JoinRecording(datagrams));
  }

 private:
  std::filesystem::path folder_;
};

/// What the kernel answers while `look` uses the host that it is given.
template <typename Look>
Datagrams Recorded(const Namespace& where, Look look) {
  auto recording = std::make_shared<Datagrams>();
  where.Run([&] {
    kernel::Host host = lab::HostHere();
    host.open_channel = [recording](int protocol) { return OpenRecordedChannel(protocol, recording); };
    look(host);
  });
  return *recording;
}

template <typename CollectorType, typename... Arguments>
Datagrams RecordedSample(const Namespace& where, Arguments... arguments) {
  return Recorded(where, [&](const kernel::Host& host) {
    if (auto collected = CollectorType(host, arguments...).Collect(Soon()); !collected) {
      throw std::runtime_error(collected.error().message);
    }
  });
}

void Load(const Namespace& where, const std::vector<std::string>& tool, const std::string& fixture) {
  const auto output = where.Command(tool, ReadFile(lab::SourceFolder() / "tests/fixtures/firewall" / fixture));
  if (output.exit_code != 0) {
    throw std::runtime_error(tool.front() + ": " + output.err);
  }
}

/// The rules, one by one, and the sets with their elements, out of a recorded look.
void WriteParts(const Datagrams& look, const std::string& name, const Seeds& seeds) {
  int rules = 0;
  int sets = 0;
  Datagrams set;  // the description, then its elements
  const auto write_set = [&] {
    if (!set.empty()) {
      seeds.Write("nft_set", name + "-" + std::to_string(++sets), set);
      set.clear();
    }
  };
  for (const auto& datagram : look) {
    kernel::netlink::ForEachMessage(datagram, [&](const kernel::netlink::Message& message) {
      const auto attributes = message.Attributes<nfgenmsg>();
      const std::vector<std::byte> bytes(attributes.begin(), attributes.end());
      if (message.type == kernel::netlink::NetfilterType(NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWRULE)) {
        kernel::netlink::ForEachAttribute(attributes, [&](const kernel::netlink::Attribute& attribute) {
          if (attribute.Type() == NFTA_RULE_EXPRESSIONS) {
            seeds.Write("nft_rule", name + "-" + std::to_string(++rules), attribute.Payload());
          }
        });
      } else if (message.type == kernel::netlink::NetfilterType(NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWSET)) {
        write_set();
        set.push_back(bytes);
      } else if (message.type == kernel::netlink::NetfilterType(NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWSETELEM) &&
                 !set.empty()) {
        set.push_back(bytes);
      }
    });
  }
  write_set();
}

void CaptureNft(const Seeds& seeds) {
  const auto capture = [&seeds](const Namespace& where, const std::string& name) {
    const Datagrams look = Recorded(where, [](const kernel::Host& host) {
      auto channel = host.open_channel(NETLINK_NETFILTER);
      if (auto read = firewall::read::NftReader(*channel, Soon()).ReadAll(); !read) {
        throw std::runtime_error(read.error().message);
      }
    });
    seeds.Write("nft_ruleset", name, look);
    WriteParts(look, name, seeds);
  };
  const Namespace native;
  Load(native, {"nft", "-f", "-"}, "native.nft");
  capture(native, "native");
  const Namespace iptables;
  Load(iptables, {"iptables-nft-restore"}, "iptables.rules");
  Load(iptables, {"ip6tables-nft-restore"}, "ip6tables.rules");
  capture(iptables, "iptables");
  const Namespace small;
  small.Shell("nft 'table ip t { chain o { type filter hook output priority 0; ct state invalid counter drop; }; }'");
  capture(small, "small");
}

void CaptureLegacy(const Seeds& seeds) {
  const Namespace where;
  Load(where, {"iptables-legacy-restore"}, "iptables.rules");
  Load(where, {"ip6tables-legacy-restore"}, "ip6tables.rules");
  where.Shell(
      "iptables-legacy -t raw -A OUTPUT -p tcp --dport 80 -j NOTRACK; iptables-legacy -t security -L >/dev/null");
  where.Run([&] {
    firewall::read::SocketLegacyKernel kernel;
    for (const auto family : {firewall::TableFamily::kIpv4, firewall::TableFamily::kIpv6}) {
      firewall::read::LegacyReader reader("/proc", kernel, Soon());
      const auto names = reader.TableNames(family);
      for (const std::string& table : names.value()) {
        const auto info = kernel.GetInfo(family, table);
        const auto entries = kernel.GetEntries(family, table, info->size);
        std::vector<std::byte> seed = {std::byte{family == firewall::TableFamily::kIpv6}};
        std::vector<std::uint32_t> numbers = {info->valid_hooks};
        numbers.insert(numbers.end(), info->hook_entry.begin(), info->hook_entry.end());
        numbers.insert(numbers.end(), info->underflow.begin(), info->underflow.end());
        numbers.push_back(info->entries);
        const auto bytes = std::as_bytes(std::span(numbers));
        seed.insert(seed.end(), bytes.begin(), bytes.end());
        seed.insert(seed.end(), entries->begin(), entries->end());
        seeds.Write("legacy_table", std::string(firewall::Name(family)) + "-" + table, seed);
      }
    }
  });
}

Datagrams RecordEvents(const Namespace& where) {
  Datagrams datagrams;
  where.Run([&] {
    auto events = lab::HostHere().open_events({NETLINK_NETFILTER, {NFNLGRP_CONNTRACK_DESTROY}, {}, 0});
    if (!events) {
      throw std::runtime_error(events.error().message);
    }
    where.Shell("conntrack -F");
    while (auto datagram = *(*events)->Next()) {
      datagrams.emplace_back(datagram->bytes.begin(), datagram->bytes.end());
    }
  });
  return datagrams;
}

void CaptureConnections(const Seeds& seeds) {
  const lab::Wire wire;
  wire.local.Shell(
      "nft 'table inet t { chain o { type filter hook output priority 0; ct state invalid counter drop; }; "
      "chain p { type nat hook postrouting priority 100; tcp dport 8081 masquerade; }; }'");
  std::vector<UniqueFd> held;
  std::vector<lab::Listener> listeners;
  for (const char* address : {lab::Wire::kPeer4, lab::Wire::kPeer6}) {
    for (const std::uint16_t port : {std::uint16_t{8080}, std::uint16_t{8081}}) {
      const lab::Listener listener(wire.peer, address, port);
      held.push_back(lab::Connect(wire.local, address, port));
      held.push_back(listener.Accept());
    }
  }
  wire.local.Command({"ping", "-c", "1", "-W", "1", lab::Wire::kPeer4});
  wire.local.Shell("echo x > /dev/udp/192.0.2.2/9 || true");
  seeds.Write("conntrack_table", "table", RecordedSample<sources::ConntrackTableCollector>(wire.local));
  seeds.Write("conntrack_stats", "stats", RecordedSample<sources::ConntrackStatsCollector>(wire.local));
  seeds.Write("sockets", "open",
              RecordedSample<sources::SocketsCollector>(wire.local, Pacer(std::chrono::seconds(5), 1)));
  seeds.Write("tracking", "tracked", RecordedSample<sources::TrackingCollector>(wire.local));
  seeds.Write("routes", "route", Recorded(wire.local, [](const kernel::Host& host) {
                const IpAddress from = *IpAddress::Parse(lab::Wire::kLocal4);
                (void)FindRoute(host, {.source = from, .destination = *IpAddress::Parse(lab::Wire::kPeer4)}, Soon());
                (void)FindRoute(host, {.source = from, .destination = *IpAddress::Parse("198.51.100.1")}, Soon());
              }));
  seeds.Write("routes", "addresses",
              Recorded(wire.local, [](const kernel::Host& host) { (void)kernel::OwnAddresses(host).Update(Soon()); }));
  seeds.Write("conntrack_events", "flush", RecordEvents(wire.local));
  held.clear();  // their FINs have no entry: stuck sockets
  seeds.Write("sockets", "stuck",
              RecordedSample<sources::SocketsCollector>(wire.local, Pacer(std::chrono::seconds(5), 1)));
  seeds.Write("tracking", "stuck", RecordedSample<sources::TrackingCollector>(wire.local));
  seeds.Write("conntrack_table", "after", RecordedSample<sources::ConntrackTableCollector>(wire.local));
}

/// Passes bytes on between two sockets until one of them ends, and keeps them.
class Relay {
 public:
  Relay(int one, int other) : sockets_{one, other}, thread_([this] { Run(); }) {}
  /// What came from the first socket, or from the second. To be called once both ends are gone.
  const std::vector<std::byte>& From(std::size_t side) {
    if (thread_.joinable()) {
      thread_.join();
    }
    return kept_[side];
  }

 private:
  void Run() {
    std::vector<std::byte> buffer(1 << 16);
    for (;;) {
      pollfd polls[] = {{sockets_[0], POLLIN, 0}, {sockets_[1], POLLIN, 0}};
      ::poll(polls, 2, -1);
      for (const std::size_t side : {0U, 1U}) {
        if (polls[side].revents == 0) {
          continue;
        }
        const ssize_t got = ::recv(sockets_[side], buffer.data(), buffer.size(), 0);
        if (got <= 0) {
          ::shutdown(sockets_[0], SHUT_RDWR);
          ::shutdown(sockets_[1], SHUT_RDWR);
          return;
        }
        kept_[side].insert(kept_[side].end(), buffer.begin(), buffer.begin() + got);
        for (ssize_t sent = 0; sent < got;) {
          pollfd room = {sockets_[1 - side], POLLOUT, 0};
          ::poll(&room, 1, -1);
          const ssize_t now =
              ::send(sockets_[1 - side], buffer.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
          if (now < 0 && errno != EAGAIN) {
            return;
          }
          sent += now > 0 ? now : 0;
        }
      }
    }
  }

  std::array<int, 2> sockets_;
  std::array<std::vector<std::byte>, 2> kept_;
  std::jthread thread_;
};

scheduling::Snapshot SnapshotHere(const sources::CollectorSettings& settings) {
  std::vector<scheduling::EnabledCollector> collectors;
  for (const sources::CollectorInfo& info : sources::CollectorRegistry()) {
    collectors.push_back({&info, info.make(lab::HostHere(), settings)});
  }
  return *CollectOnce({7}, std::move(collectors), std::chrono::seconds(30));
}

/// All bytes of a short life of both ends: hello, a snapshot, and the facts that its diagnosis asks for.
void CaptureConversation(const Seeds& seeds) {
  auto at_the_server = *channel::Connection::MakePair();
  auto at_the_reader = *channel::Connection::MakePair();
  Relay relay(at_the_server.second.Descriptor(), at_the_reader.first.Descriptor());
  sources::CollectorSettings settings;
  scheduling::SnapshotInbox snapshots;
  snapshots.Put(std::make_shared<scheduling::Snapshot>(SnapshotHere(settings)));
  firewall::read::FactResolver resolver(lab::HostHere());
  channel::HelloAnswer hello;
  hello.network_namespace = {7};
  hello.capabilities = "CAP_NET_ADMIN";
  hello.unsealed = "why";
  channel::Answerer answerer(
      std::move(at_the_reader.second),
      {hello, snapshots, resolver, std::make_shared<CpuBudget>(1),
       [](const firewall::facts::Need&) { return Result<void>(); }, [] { return process::ProcessReport(); }, [] {}});
  std::jthread reader([&] { answerer.Run(); });  // in the same network namespace
  channel::ReaderClient client(std::move(at_the_server.first), std::make_shared<CpuBudget>(1));
  if (!client.Hello(Soon())) {
    throw std::runtime_error("no hello");
  }
  diagnosis::Diagnostician diagnostician(std::make_shared<channel::RemoteResolver>(client));
  const auto snapshot = client.Next(Soon());
  if (!snapshot || *snapshot == nullptr) {
    throw std::runtime_error("no snapshot");
  }
  (void)diagnostician.Diagnose(*snapshot, SteadyClock::now(), scheduling::WallClock::now());
  client.Shutdown();
  reader.join();
  seeds.Write("channel_reader", "conversation", relay.From(0));
  seeds.Write("channel_server", "conversation", relay.From(1));
  // The answers one by one: hello, the snapshot, and facts.
  const Datagrams answers = SplitRecording(relay.From(1));
  codec::Encoder encoder;
  encoder.Put(hello);
  seeds.Write("channel_hello", "hello", encoder.Bytes());
  channel::HelloAnswer why_not;
  why_not.why_not = Error{FailureReason::kPermission, 1, "no"};
  codec::Encoder second;
  second.Put(why_not);
  seeds.Write("channel_hello", "why_not", second.Bytes());
  if (answers.size() > 2) {
    seeds.Write("channel_facts", "conversation", Datagrams(answers.begin() + 2, answers.end()));
  }
}

/// Facts of every kind, which no one host asks for.
void CaptureFacts(const Seeds& seeds) {
  using firewall::facts::Fact;
  const auto chain = std::make_shared<firewall::Chain>();
  chain->name = "c";
  firewall::Rule rule;
  rule.expressions = {firewall::CtLoad{0, std::nullopt, {}},
                      firewall::VerdictStatement{{firewall::Verdict::Kind::kDrop, ""}}};
  chain->rules = {rule};
  const auto set = std::make_shared<firewall::Set>();
  set->name = "s";
  set->key_length = 4;
  set->elements.emplace_back().key = firewall::Value(4);
  const auto table = std::make_shared<firewall::Table>();
  table->name = "t";
  table->chains.emplace("c", chain);
  table->sets.emplace("s", set);
  const auto ipset = std::make_shared<firewall::facts::Ipset>();
  ipset->type = "list:set";
  ipset->members.emplace_back().name = "m";
  const auto group = std::make_shared<firewall::facts::ControlGroup>();
  group->path = "/a";
  group->line = {1, 2};
  codec::SentObjects objects;
  codec::Encoder encoder(&objects);
  encoder.Put(objects.TakeReleased());
  encoder.Put(channel::FactsAnswer{
      {std::monostate(), Error{FailureReason::kError, 2, "no"},
       Fact::Value(std::shared_ptr<const firewall::Chain>(chain)),
       Fact::Value(std::shared_ptr<const firewall::Table>(table)),
       Fact::Value(std::shared_ptr<const firewall::Set>(set)),
       Fact::Value(std::make_shared<const firewall::SetElement>(set->elements[0])),
       Fact::Value(std::make_shared<const firewall::facts::Route>()),
       Fact::Value(std::shared_ptr<const firewall::facts::Ipset>(ipset)), Fact::Value(firewall::facts::Socket()),
       Fact::Value(firewall::facts::NamespaceFacts()), Fact::Value(true), Fact::Value(std::uint64_t{64}),
       Fact::Value(std::make_shared<const firewall::facts::RecentList>()),
       Fact::Value(firewall::facts::HardwareAddress()),
       Fact::Value(std::make_shared<const firewall::facts::ConnectionEntry>()),
       Fact::Value(std::shared_ptr<const firewall::facts::ControlGroup>(group))}});
  seeds.Write("channel_facts", "of_every_kind", Datagrams{encoder.Take()});
}

/// Snapshots of a host with rules, sets and a stuck socket, as the reader sends them, and questions as the server asks.
void CaptureChannel(const Seeds& seeds) {
  const lab::Wire wire;
  wire.local.Shell(
      "nft 'table inet t { set s { type ipv4_addr; elements = { 198.51.100.1 }; }; "
      "chain o { type filter hook output priority 0; ip daddr @s accept; ct state invalid counter drop; }; "
      "chain p { type nat hook postrouting priority 100; tcp dport 8081 masquerade; }; }'");
  const lab::Listener listener(wire.peer, lab::Wire::kPeer4, 8080);
  std::vector<UniqueFd> held;
  held.push_back(lab::Connect(wire.local, lab::Wire::kPeer4, 8080));
  held.push_back(listener.Accept());
  wire.local.Run([&] {
    sources::CollectorSettings settings;
    codec::SentObjects objects;
    channel::SnapshotEncoder snapshots;
    Datagrams messages;
    for (int i = 0; i < 2; ++i) {
      const scheduling::Snapshot snapshot = SnapshotHere(settings);
      codec::Encoder encoder(&objects);
      encoder.Put(objects.TakeReleased());
      channel::NextAnswer answer;
      answer.is_new = true;
      answer.claims = {{0.5, 0.25}};
      encoder.Put(answer);
      snapshots.Put(snapshot, encoder);
      messages.push_back(encoder.Take());
    }
    seeds.Write("channel_answers", "two", messages);
    messages.pop_back();
    seeds.Write("channel_answers", "one", messages);
    CaptureConversation(seeds);
  });
  CaptureFacts(seeds);
  const IpAddress address = *IpAddress::Parse(lab::Wire::kPeer4);
  const firewall::facts::SetKey set{firewall::TableFamily::kInet, "t", "s"};
  firewall::facts::IpsetElementKey element;
  element.set = "i";
  element.address = address;
  firewall::facts::RouteKey route;
  route.destination = address;
  const channel::Question questions[] = {
      {false, channel::HelloQuestion()},
      {true, channel::NextQuestion{{{0.5, 0.25}}}},
      {false, channel::FactsQuestion{
                  {firewall::facts::ChainKey{firewall::TableFamily::kInet, "t", "p"},
                   firewall::facts::LegacyTableKey{firewall::TableFamily::kIpv4, "nat"}, set,
                   firewall::facts::ElementKey{set, {std::byte{1}}, std::make_shared<firewall::Set>()},
                   firewall::facts::QuotaKey{"q"}, route, firewall::facts::SocketKey{{address, 1}, {address, 2}},
                   firewall::facts::NamespaceKey{}, firewall::facts::IpsetKey{3}, element}}}};
  for (const channel::Question& question : questions) {
    codec::Encoder encoder;
    encoder.Put(question);
    seeds.Write("channel_question", std::to_string(question.what.index()), encoder.Bytes());
  }
}

void CaptureProcfs(const Seeds& seeds) {
  const std::string files = ReadFile("/proc/net/netstat") + '\0' + ReadFile("/proc/net/snmp") + '\0' +
                            "filter\nmangle\nnf_tables 368640 12 nft_compat, Live 0x0\n" +
                            "ffffffff81000000 T nft_register_chain_type\n" + '\0' + "432000\n";
  seeds.Write("procfs", "all", std::as_bytes(std::span(files)));
}

}  // namespace
}  // namespace finwait::fuzz

int main(int argc, char** argv) {
  finwait::lab::RequireLab(argc, argv);
  if (argc != 2) {
    std::cerr << "usage: " << argv[0] << " FOLDER\n";
    return 2;
  }
  const finwait::fuzz::Seeds seeds(argv[1]);
  finwait::fuzz::CaptureNft(seeds);
  finwait::fuzz::CaptureLegacy(seeds);
  finwait::fuzz::CaptureConnections(seeds);
  finwait::fuzz::CaptureProcfs(seeds);
  finwait::fuzz::CaptureChannel(seeds);
  return 0;
}
