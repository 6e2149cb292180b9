#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "collectors/kernel/netlink/attributes.h"

namespace finwait::kernel::netlink {

/// One message: its type and everything behind the nlmsghdr (family header, then attributes).
struct Message {
  std::uint16_t type = 0;
  Bytes payload;

  /// The payload as the family's fixed header; nothing when it is too short for one.
  template <typename T>
  std::optional<T> Header() const {
    return Attribute(0, payload).Read<T>();
  }
  /// The attributes behind a family header of type T; empty when the payload is too short for one.
  template <typename T>
  Bytes Attributes() const {
    const std::size_t header = NLMSG_ALIGN(sizeof(T));
    return payload.size() >= header ? payload.subspan(header) : Bytes();
  }
};

/// Walks the messages of one datagram, in order.
class MessageReader {
 public:
  explicit MessageReader(Bytes datagram) : rest_(datagram) {}

  /// Moves to the next message. False at the end, and at a malformed one: what was read before is sound.
  bool Next() {
    if (rest_.empty()) {
      return false;
    }
    if (rest_.size() < sizeof header_) {
      return Stop("a header cut short");
    }
    std::memcpy(&header_, rest_.data(), sizeof header_);
    if (header_.nlmsg_len < sizeof header_ || header_.nlmsg_len > rest_.size()) {
      return Stop("a length that does not fit");
    }
    payload_ = rest_.subspan(sizeof header_, header_.nlmsg_len - sizeof header_);
    const std::size_t aligned = NLMSG_ALIGN(header_.nlmsg_len);
    rest_ = rest_.subspan(aligned < rest_.size() ? aligned : rest_.size());
    return true;
  }

  // Of the message that Next() has moved to.
  const nlmsghdr& Header() const { return header_; }
  Bytes Payload() const { return payload_; }
  Message Current() const { return {header_.nlmsg_type, payload_}; }

  bool Sound() const { return problem_.empty(); }
  /// What is malformed; empty while Sound().
  std::string_view Problem() const { return problem_; }

 private:
  bool Stop(std::string_view problem) {
    problem_ = problem;
    rest_ = {};
    return false;
  }

  Bytes rest_;
  nlmsghdr header_ = {};
  Bytes payload_;
  std::string_view problem_;
};

/// Calls `visit(const Message&)` for each message in a datagram that answers no request. False when one is malformed:
/// what was visited before is sound.
template <typename Visit>
bool ForEachMessage(Bytes datagram, Visit&& visit) {
  MessageReader reader(datagram);
  while (reader.Next()) {
    visit(reader.Current());
  }
  return reader.Sound();
}

}  // namespace finwait::kernel::netlink
