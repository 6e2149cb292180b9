#include "tests/fuzz/recording.h"

#include <linux/netlink.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <utility>

#include "collectors/kernel/netlink/read_requests.h"
#include "collectors/kernel/netlink/transport.h"
#include "tests/fuzz/fake_procfs.h"

namespace finwait::fuzz {
namespace {

using kernel::netlink::Bytes;
using kernel::netlink::Datagram;

// Calls `change` for each message header in the datagram, as far as its lengths make sense, and writes it back.
template <typename Change>
void ForEachHeader(std::vector<std::byte>& datagram, Change&& change) {
  std::size_t offset = 0;
  while (datagram.size() - offset >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, datagram.data() + offset, sizeof header);
    change(header);
    std::memcpy(datagram.data() + offset, &header, sizeof header);
    const std::size_t length = NLMSG_ALIGN(static_cast<std::size_t>(header.nlmsg_len));
    if (length < sizeof header || length > datagram.size() - offset) {
      return;
    }
    offset += length;
  }
}

std::uint32_t FirstSequence(Bytes datagram) {
  return kernel::netlink::Attribute(0, datagram).Read<nlmsghdr>()->nlmsg_seq;
}

// Answers from a recording that all channels of a host share.
class ReplayTransport : public kernel::netlink::Transport {
 public:
  ReplayTransport(int protocol, std::shared_ptr<std::deque<std::vector<std::byte>>> answers)
      : protocol_(protocol), answers_(std::move(answers)) {}

  Result<void> Send(Bytes datagram, Deadline) override {
    if (auto allowed = kernel::netlink::RequireReadOnly(protocol_, datagram); !allowed) {
      return allowed;
    }
    sequence_ = FirstSequence(datagram);
    return {};
  }

  Result<Datagram> Receive(Deadline) override {
    if (answers_->empty()) {
      return Fail(FailureReason::kTimeout, "receive from netlink: no answer within the deadline");
    }
    // A block of exactly this size: a memory checker sees a byte read past the end.
    received_ = std::make_unique<std::vector<std::byte>>(std::move(answers_->front()));
    answers_->pop_front();
    received_->shrink_to_fit();
    ForEachHeader(*received_, [this](nlmsghdr& header) {
      header.nlmsg_seq += sequence_;
      header.nlmsg_pid += kPort;
    });
    return Datagram{*received_, 0, false};
  }

  std::uint32_t Port() const override { return kPort; }

 private:
  static constexpr std::uint32_t kPort = 4711;
  int protocol_;
  std::uint32_t sequence_ = 0;
  std::shared_ptr<std::deque<std::vector<std::byte>>> answers_;
  std::unique_ptr<std::vector<std::byte>> received_;
};

class RecordingTransport : public kernel::netlink::Transport {
 public:
  RecordingTransport(std::unique_ptr<kernel::netlink::Transport> real, std::shared_ptr<Datagrams> recording)
      : real_(std::move(real)), recording_(std::move(recording)) {}

  Result<void> Send(Bytes datagram, Deadline deadline) override {
    sequence_ = FirstSequence(datagram);
    return real_->Send(datagram, deadline);
  }
  Result<Datagram> Receive(Deadline deadline) override {
    auto datagram = real_->Receive(deadline);
    if (datagram && datagram->sender_port == 0) {
      auto& written = recording_->emplace_back(datagram->bytes.begin(), datagram->bytes.end());
      ForEachHeader(written, [this](nlmsghdr& header) {
        header.nlmsg_seq -= sequence_;
        header.nlmsg_pid -= real_->Port();
      });
    }
    return datagram;
  }
  std::uint32_t Port() const override { return real_->Port(); }

 private:
  std::unique_ptr<kernel::netlink::Transport> real_;
  std::shared_ptr<Datagrams> recording_;
  std::uint32_t sequence_ = 0;
};

}  // namespace

Datagrams SplitRecording(Bytes recording) {
  Datagrams datagrams;
  while (recording.size() >= 4) {
    std::size_t length = 0;
    for (std::size_t i = 4; i-- > 0;) {
      length = length << 8 | std::to_integer<std::size_t>(recording[i]);
    }
    recording = recording.subspan(4);
    length = std::min(length, recording.size());
    datagrams.emplace_back(recording.begin(), recording.begin() + static_cast<std::ptrdiff_t>(length));
    recording = recording.subspan(length);
  }
  return datagrams;
}

std::vector<std::byte> JoinRecording(const Datagrams& datagrams) {
  std::vector<std::byte> recording;
  for (const auto& datagram : datagrams) {
    for (std::size_t i = 0; i < 4; ++i) {
      recording.push_back(static_cast<std::byte>(datagram.size() >> (8 * i)));
    }
    recording.insert(recording.end(), datagram.begin(), datagram.end());
  }
  return recording;
}

kernel::Host HostThatAnswers(Datagrams datagrams) {
  auto answers = std::make_shared<std::deque<std::vector<std::byte>>>();
  for (auto& datagram : datagrams) {
    answers->push_back(std::move(datagram));
  }
  kernel::Host host;
  host.procfs = OrdinaryProcfs();
  host.find_feature = [](const kernel::KernelFeature&) { return kernel::FeatureState::kSafeToAsk; };
  host.open_channel = [answers](int protocol) -> Result<kernel::netlink::Channel> {
    return kernel::netlink::Channel(std::make_unique<ReplayTransport>(protocol, answers));
  };
  return host;
}

Result<kernel::netlink::Channel> OpenRecordedChannel(int protocol, const std::shared_ptr<Datagrams>& recording) {
  auto real = kernel::netlink::SocketTransport::Open(protocol);
  if (!real) {
    return Failure(real.error());
  }
  return kernel::netlink::Channel(std::make_unique<RecordingTransport>(std::move(*real), recording));
}

}  // namespace finwait::fuzz
