#pragma once

#include <linux/netlink.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "collectors/kernel/netlink/channel.h"
#include "collectors/kernel/netlink/read_requests.h"
#include "collectors/kernel/netlink/request.h"
#include "collectors/kernel/netlink/transport.h"

namespace finwait::kernel::netlink {

using ByteVector = std::vector<std::byte>;

/// A kernel structure as the bytes of a payload; `Join` puts payloads one behind the other.
template <typename T>
ByteVector BytesOf(const T& value) {
  ByteVector bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}
inline ByteVector BytesOf(std::string_view text) {
  const auto* start = reinterpret_cast<const std::byte*>(text.data());
  return ByteVector(start, start + text.size());
}
inline ByteVector Join(ByteVector first, const ByteVector& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// One message of a canned answer.
struct FakeMessage {
  std::uint16_t type = 0;
  std::uint16_t flags = NLM_F_MULTI;
  ByteVector payload;
  std::optional<std::uint32_t> sequence;  ///< that of the request being answered where not given
  std::optional<std::uint32_t> port;      ///< the asker's where not given
};

/// A message whose family header and attributes were put together with a Request.
inline FakeMessage MessageOf(const Request& content) {
  const Bytes bytes = content.Data().subspan(sizeof(nlmsghdr));
  FakeMessage message;
  message.type = content.Type();
  message.payload.assign(bytes.begin(), bytes.end());
  return message;
}
/// The end of a dump; `code` is 0 or a negative errno.
inline FakeMessage Done(int code = 0) {
  FakeMessage message;
  message.type = NLMSG_DONE;
  message.payload = BytesOf(code);
  return message;
}
/// NLMSG_ERROR; `code` is a negative errno, or 0 for an acknowledgement. Capped: the request is not echoed.
inline FakeMessage ErrorMessage(int code) {
  nlmsgerr error = {};
  error.error = code;
  error.msg.nlmsg_len = sizeof(nlmsghdr);
  FakeMessage message;
  message.type = NLMSG_ERROR;
  message.flags = NLM_F_CAPPED;
  message.payload = BytesOf(error);
  return message;
}
inline FakeMessage Acknowledgement() { return ErrorMessage(0); }

/// The kernel's side of a test: what it answers, and what it was asked. Answers are received in the order in which they
/// were added, whatever the requests; once there are none, a receiver times out at once.
class FakeKernel : public std::enable_shared_from_this<FakeKernel> {
 public:
  static constexpr std::uint32_t kPort = 4711;
  struct Answer {
    std::vector<FakeMessage> messages;
    std::optional<ByteVector> raw;  ///< instead of `messages`: these bytes as they are
    std::optional<Error> error;     ///< instead of a datagram: Receive fails so
    std::uint32_t sender_port = 0;
    bool truncated = false;
  };

  static std::shared_ptr<FakeKernel> Make() { return std::make_shared<FakeKernel>(); }

  /// Adds one datagram with these messages.
  FakeKernel& Answers(std::vector<FakeMessage> messages) {
    answers_.push_back(Answer{std::move(messages), {}, {}, 0, false});
    return *this;
  }
  FakeKernel& AnswersRaw(ByteVector bytes) {
    answers_.push_back(Answer{{}, std::move(bytes), {}, 0, false});
    return *this;
  }
  FakeKernel& FailsToReceive(int errno_code) {
    answers_.push_back(Answer{{}, {}, ErrnoError("receive from netlink", errno_code), 0, false});
    return *this;
  }
  FakeKernel& Adds(Answer answer) {
    answers_.push_back(std::move(answer));
    return *this;
  }
  /// Gives the last answer again and again instead of running out.
  FakeKernel& ForEver() {
    for_ever_ = true;
    return *this;
  }
  /// Sending fails with this errno from now on.
  FakeKernel& FailsToSend(int errno_code) {
    send_errno_ = errno_code;
    return *this;
  }

  /// Every datagram that was sent, in order.
  const std::vector<ByteVector>& Sent() const { return sent_; }
  /// The header of the nth datagram sent.
  nlmsghdr SentHeader(std::size_t index) const {
    nlmsghdr header;
    std::memcpy(&header, sent_.at(index).data(), sizeof header);
    return header;
  }
  std::size_t AnswersLeft() const { return answers_.size(); }

  /// A channel to this kernel, as Host::open_channel opens one. It refuses what is not a read request, as the real one.
  Result<Channel> Open(int protocol);

 private:
  friend class FakeTransport;
  ByteVector Encode(const Answer& answer) const;

  std::deque<Answer> answers_;
  std::vector<ByteVector> sent_;
  bool for_ever_ = false;
  int send_errno_ = 0;
};

/// The asker's end of a FakeKernel.
class FakeTransport : public Transport {
 public:
  FakeTransport(std::shared_ptr<FakeKernel> kernel, int protocol) : kernel_(std::move(kernel)), protocol_(protocol) {}

  Result<void> Send(Bytes datagram, Deadline) override {
    if (kernel_->send_errno_ != 0) {
      return FailErrno("send to netlink", kernel_->send_errno_);
    }
    if (auto allowed = RequireReadOnly(protocol_, datagram); !allowed) {
      return allowed;
    }
    kernel_->sent_.emplace_back(datagram.begin(), datagram.end());
    return {};
  }

  Result<Datagram> Receive(Deadline) override {
    if (kernel_->answers_.empty()) {
      return Fail(FailureReason::kTimeout, "receive from netlink: no answer within the deadline");
    }
    const FakeKernel::Answer answer = kernel_->answers_.front();
    if (!kernel_->for_ever_ || kernel_->answers_.size() > 1) {
      kernel_->answers_.pop_front();
    }
    if (answer.error) {
      return Failure(*answer.error);
    }
    // A block of exactly this size, new for each datagram: a memory checker sees a byte read past the end.
    received_ = std::make_unique<ByteVector>(kernel_->Encode(answer));
    received_->shrink_to_fit();
    return Datagram{Bytes(*received_), answer.sender_port, answer.truncated};
  }

  std::uint32_t Port() const override { return FakeKernel::kPort; }

 private:
  std::shared_ptr<FakeKernel> kernel_;
  int protocol_;
  std::unique_ptr<ByteVector> received_;
};

inline Result<Channel> FakeKernel::Open(int protocol) {
  return Channel(std::make_unique<FakeTransport>(shared_from_this(), protocol));
}

inline ByteVector FakeKernel::Encode(const Answer& answer) const {
  if (answer.raw) {
    return *answer.raw;
  }
  ByteVector datagram;
  for (const FakeMessage& message : answer.messages) {
    nlmsghdr header = {};
    header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + message.payload.size());
    header.nlmsg_type = message.type;
    header.nlmsg_flags = message.flags;
    header.nlmsg_seq = message.sequence.value_or(sent_.empty() ? 0 : SentHeader(sent_.size() - 1).nlmsg_seq);
    header.nlmsg_pid = message.port.value_or(kPort);
    datagram = Join(Join(std::move(datagram), BytesOf(header)), message.payload);
    datagram.resize(NLMSG_ALIGN(datagram.size()));
  }
  return datagram;
}

}  // namespace finwait::kernel::netlink
