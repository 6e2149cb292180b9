#include "tests/recording/kernel_recording.h"

#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <deque>
#include <filesystem>
#include <sstream>
#include <stdexcept>

#include "collectors/kernel/netlink/read_requests.h"
#include "collectors/kernel/netlink/transport.h"
#include "tests/lab/temporary_folder.h"

namespace finwait::recording {
namespace {

using firewall::TableFamily;
using firewall::read::LegacyTableInfo;
using kernel::netlink::Attribute;
using kernel::netlink::Datagram;

// Each message in `datagram`, with its sequence number.
template <typename Visit>
void ForEachMessage(Bytes datagram, Visit&& visit) {
  while (datagram.size() >= sizeof(nlmsghdr)) {
    const nlmsghdr header = *Attribute(0, datagram).Read<nlmsghdr>();
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size()) {
      throw std::runtime_error("a netlink message's length does not fit");
    }
    const Bytes payload = datagram.subspan(sizeof header, header.nlmsg_len - sizeof header);
    visit(header.nlmsg_seq, Message{header.nlmsg_type, header.nlmsg_flags, {payload.begin(), payload.end()}});
    datagram = datagram.subspan(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), datagram.size()));
  }
}

// An error repeats its request's header, whose sequence number and port belong to the one exchange.
void ClearEcho(Message& message) {
  if (message.type == NLMSG_ERROR && message.payload.size() >= sizeof(nlmsgerr)) {
    const std::size_t offset = offsetof(nlmsgerr, msg) + offsetof(nlmsghdr, nlmsg_seq);
    std::fill_n(message.payload.begin() + static_cast<std::ptrdiff_t>(offset), 2 * sizeof(std::uint32_t), std::byte{0});
  }
}

class RecordingTransport : public kernel::netlink::Transport {
 public:
  RecordingTransport(std::unique_ptr<Transport> real, std::shared_ptr<KernelRecording> recording)
      : real_(std::move(real)), recording_(std::move(recording)) {}

  Result<void> Send(Bytes datagram, Deadline deadline) override {
    ForEachMessage(datagram, [&](std::uint32_t sequence, const Message& request) {
      exchanges_[sequence] = recording_->StartExchange(TextOf(request));
    });
    return real_->Send(datagram, deadline);
  }

  Result<Datagram> Receive(Deadline deadline) override {
    auto datagram = real_->Receive(deadline);
    if (datagram && datagram->sender_port == 0) {
      ForEachMessage(datagram->bytes, [&](std::uint32_t sequence, Message message) {
        ClearEcho(message);
        recording_->exchanges[exchanges_.at(sequence)].answer.push_back(TextOf(message));
      });
    }
    return datagram;
  }

  std::uint32_t Port() const override { return real_->Port(); }

 private:
  std::unique_ptr<Transport> real_;
  std::shared_ptr<KernelRecording> recording_;
  std::map<std::uint32_t, std::size_t> exchanges_;  // by sequence number
};

class ReplayingTransport : public kernel::netlink::Transport {
 public:
  explicit ReplayingTransport(std::shared_ptr<const KernelRecording> recording) : recording_(std::move(recording)) {}

  Result<void> Send(Bytes datagram, Deadline) override {
    if (auto allowed = kernel::netlink::RequireReadOnly(NETLINK_NETFILTER, datagram); !allowed) {
      return allowed;
    }
    Result<void> sent;
    ForEachMessage(datagram, [&](std::uint32_t sequence, const Message& request) {
      const std::string text = TextOf(request);
      const auto found = std::find_if(recording_->exchanges.begin(), recording_->exchanges.end(),
                                      [&](const KernelRecording::Exchange& one) { return one.request == text; });
      if (found == recording_->exchanges.end()) {
        sent = Fail(FailureReason::kError,
                    "the recording has no answer to `" + text + "`; record it again with FINWAIT_RECORD=1");
        return;
      }
      for (const std::string& line : found->answer) {
        waiting_.push_back(Encode(ParseMessage(line), sequence));
      }
    });
    return sent;
  }

  Result<Datagram> Receive(Deadline) override {
    if (waiting_.empty()) {
      return Fail(FailureReason::kTimeout, "receive from netlink: the recorded answer is over");
    }
    // A block of exactly this size: a memory checker sees a byte read past the end.
    received_ = std::move(waiting_.front());
    waiting_.pop_front();
    received_.shrink_to_fit();
    return Datagram{received_, 0, false};
  }

  std::uint32_t Port() const override { return kPort; }

 private:
  static constexpr std::uint32_t kPort = 4711;

  static ByteVector Encode(const Message& message, std::uint32_t sequence) {
    nlmsghdr header = {};
    header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + message.payload.size());
    header.nlmsg_type = message.type;
    header.nlmsg_flags = message.flags;
    header.nlmsg_seq = sequence;
    header.nlmsg_pid = kPort;
    ByteVector bytes(sizeof header);
    std::memcpy(bytes.data(), &header, sizeof header);
    bytes.insert(bytes.end(), message.payload.begin(), message.payload.end());
    bytes.resize(NLMSG_ALIGN(bytes.size()));
    return bytes;
  }

  std::shared_ptr<const KernelRecording> recording_;
  std::deque<ByteVector> waiting_;
  ByteVector received_;
};

class RecordingLegacy : public firewall::read::LegacyKernel {
 public:
  explicit RecordingLegacy(std::shared_ptr<KernelRecording> recording) : recording_(std::move(recording)) {}

  Result<LegacyTableInfo> GetInfo(TableFamily family, const std::string& table) override {
    auto info = real_.GetInfo(family, table);
    if (info) {
      recording_->legacy_tables[{family, table}].info = *info;
    }
    return info;
  }
  Result<ByteVector> GetEntries(TableFamily family, const std::string& table, std::uint32_t size) override {
    auto entries = real_.GetEntries(family, table, size);
    if (entries) {
      recording_->legacy_tables[{family, table}].entries = *entries;
    }
    return entries;
  }

 private:
  firewall::read::SocketLegacyKernel real_;
  std::shared_ptr<KernelRecording> recording_;
};

class ReplayingLegacy : public firewall::read::LegacyKernel {
 public:
  explicit ReplayingLegacy(std::shared_ptr<const KernelRecording> recording) : recording_(std::move(recording)) {}

  Result<LegacyTableInfo> GetInfo(TableFamily family, const std::string& table) override {
    const auto found = recording_->legacy_tables.find({family, table});
    if (found == recording_->legacy_tables.end()) {
      return Fail(FailureReason::kError, "the recording has no legacy table " + table);
    }
    return found->second.info;
  }
  Result<ByteVector> GetEntries(TableFamily family, const std::string& table, std::uint32_t) override {
    const auto found = recording_->legacy_tables.find({family, table});
    if (found == recording_->legacy_tables.end()) {
      return Fail(FailureReason::kError, "the recording has no legacy table " + table);
    }
    return found->second.entries;
  }

 private:
  std::shared_ptr<const KernelRecording> recording_;
};

TableFamily ParseFamily(const std::string& text) {
  if (text != "ip" && text != "ip6") {
    throw std::runtime_error("a recording's line: no family of legacy tables: " + text);
  }
  return text == "ip6" ? TableFamily::kIpv6 : TableFamily::kIpv4;
}

// A table is written an entry a line: where the next one starts is in each entry.
void WriteEntries(TableFamily family, Bytes entries, std::ostream& text) {
  const std::size_t place =
      family == TableFamily::kIpv6 ? offsetof(ip6t_entry, next_offset) : offsetof(ipt_entry, next_offset);
  while (!entries.empty()) {
    std::size_t size = entries.size();
    if (size >= place + sizeof(std::uint16_t)) {
      const auto next = Attribute(0, entries.subspan(place)).U16().value_or(0);
      size = next > 0 && next <= size ? next : size;
    }
    text << "= " << HexOf(entries.first(size)) << "\n";
    entries = entries.subspan(size);
  }
}

void WriteNumbers(const std::array<std::uint32_t, firewall::read::kLegacyHooks>& numbers, std::ostream& text) {
  for (const std::uint32_t number : numbers) {
    text << " " << number;
  }
}

}  // namespace

std::size_t KernelRecording::StartExchange(const std::string& request) {
  const auto found =
      std::find_if(exchanges.begin(), exchanges.end(), [&](const Exchange& one) { return one.request == request; });
  if (found != exchanges.end()) {
    found->answer.clear();
    return static_cast<std::size_t>(found - exchanges.begin());
  }
  exchanges.push_back({request, {}});
  return exchanges.size() - 1;
}

std::string KernelRecording::Text() const {
  std::ostringstream text;
  for (const Exchange& exchange : exchanges) {
    text << "> " << exchange.request << "\n";
    for (const std::string& line : exchange.answer) {
      text << "< " << line << "\n";
    }
  }
  for (const auto& [family, names] : legacy_names) {
    text << "tables " << Name(family);
    for (const std::string& name : names) {
      text << " " << name;
    }
    text << "\n";
  }
  for (const auto& [key, table] : legacy_tables) {
    text << "table " << Name(key.first) << " " << key.second << " " << table.info.valid_hooks;
    WriteNumbers(table.info.hook_entry, text);
    WriteNumbers(table.info.underflow, text);
    text << " " << table.info.entries << "\n";
    WriteEntries(key.first, table.entries, text);
  }
  return text.str();
}

KernelRecording KernelRecording::Parse(const std::string& text) {
  KernelRecording recording;
  LegacyTable* table = nullptr;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind == ">") {
      recording.exchanges.push_back({line.substr(2), {}});
    } else if (kind == "<" && !recording.exchanges.empty()) {
      recording.exchanges.back().answer.push_back(line.substr(2));
    } else if (kind == "tables") {
      std::string family;
      words >> family;
      auto& names = recording.legacy_names[ParseFamily(family)];
      for (std::string name; words >> name;) {
        names.push_back(name);
      }
    } else if (kind == "table") {
      std::string family;
      std::string name;
      words >> family >> name;
      table = &recording.legacy_tables[{ParseFamily(family), name}];
      words >> table->info.valid_hooks;
      for (std::uint32_t& number : table->info.hook_entry) {
        words >> number;
      }
      for (std::uint32_t& number : table->info.underflow) {
        words >> number;
      }
      words >> table->info.entries;
      if (!words) {
        throw std::runtime_error("a recording's line: numbers of a table are missing: " + line);
      }
    } else if (kind == "=" && table != nullptr) {
      const ByteVector bytes = ParseHex(line.substr(2));
      table->entries.insert(table->entries.end(), bytes.begin(), bytes.end());
      table->info.size = static_cast<std::uint32_t>(table->entries.size());
    } else if (!line.empty()) {
      throw std::runtime_error("a recording's line: of no known kind: " + line.substr(0, 80));
    }
  }
  return recording;
}

kernel::Host RecordingHost(kernel::Host host, std::shared_ptr<KernelRecording> recording) {
  const auto real = host.open_channel;
  host.open_channel = [recording, real](int protocol) -> Result<kernel::netlink::Channel> {
    if (protocol != NETLINK_NETFILTER) {
      return real(protocol);
    }
    auto transport = kernel::netlink::SocketTransport::Open(protocol);
    if (!transport) {
      return Failure(transport.error());
    }
    return kernel::netlink::Channel(std::make_unique<RecordingTransport>(std::move(*transport), recording));
  };
  return host;
}

std::shared_ptr<firewall::read::LegacyKernel> RecordingLegacyKernel(std::shared_ptr<KernelRecording> recording) {
  return std::make_shared<RecordingLegacy>(std::move(recording));
}

kernel::Host ReplayingHost(std::shared_ptr<const KernelRecording> recording) {
  const auto procfs = std::make_shared<lab::TemporaryFolder>();
  std::filesystem::create_directories(procfs->Path() / "thread-self/net");
  for (const auto& [family, names] : recording->legacy_names) {
    std::string file;
    for (const std::string& name : names) {
      file += name + "\n";
    }
    procfs->Write(family == TableFamily::kIpv6 ? "thread-self/net/ip6_tables_names" : "thread-self/net/ip_tables_names",
                  file);
  }
  kernel::Host host;
  host.procfs = procfs->Path();
  host.find_feature = [](const kernel::KernelFeature&) { return kernel::FeatureState::kSafeToAsk; };
  // Holds on to the folder for as long as anybody holds the host.
  host.open_channel = [recording, procfs](int protocol) -> Result<kernel::netlink::Channel> {
    if (protocol != NETLINK_NETFILTER) {
      return Fail(FailureReason::kUnsupported, "a recording answers for netfilter only");
    }
    return kernel::netlink::Channel(std::make_unique<ReplayingTransport>(recording));
  };
  return host;
}

std::shared_ptr<firewall::read::LegacyKernel> ReplayingLegacyKernel(std::shared_ptr<const KernelRecording> recording) {
  return std::make_shared<ReplayingLegacy>(std::move(recording));
}

}  // namespace finwait::recording
