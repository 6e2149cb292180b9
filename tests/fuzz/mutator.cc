#include "tests/fuzz/mutator.h"

#include <linux/netlink.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "collectors/kernel/netlink/attributes.h"
#include "tests/fuzz/recording.h"

namespace finwait::fuzz {
namespace {

using Buffer = std::vector<std::byte>;
using kernel::netlink::Bytes;

/// An attribute taken apart: bytes, or attributes where its payload looks like some.
struct Node {
  std::uint16_t type = 0;
  Buffer payload;
  std::vector<Node> nested;
};

/// A message taken apart.
struct Message {
  std::optional<nlmsghdr> header;  ///< its length is computed when it is written
  Buffer start;                    ///< the family's header, or all of it where no attributes follow
  std::vector<Node> attributes;
};

template <typename T>
void Append(const T& value, Buffer& to) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  to.insert(to.end(), bytes, bytes + sizeof value);
}

/// Nothing unless all of `bytes` are attributes.
std::optional<std::vector<Node>> TakeApart(Bytes bytes, int depth = 0) {
  constexpr int kDeepest = 8;
  std::vector<Node> nodes;
  const bool sound = kernel::netlink::ForEachAttribute(bytes, [&nodes](const kernel::netlink::Attribute& attribute) {
    nodes.push_back({attribute.Type(), Buffer(attribute.Payload().begin(), attribute.Payload().end()), {}});
  });
  if (!sound || nodes.empty()) {
    return std::nullopt;
  }
  for (Node& node : nodes) {
    if (depth < kDeepest) {
      if (auto nested = TakeApart(node.payload, depth + 1)) {
        node.nested = std::move(*nested);
      }
    }
  }
  return nodes;
}

void Write(const std::vector<Node>& nodes, Buffer& to) {
  for (const Node& node : nodes) {
    Buffer payload = node.payload;
    if (!node.nested.empty()) {
      payload.clear();
      Write(node.nested, payload);
    }
    payload.resize(std::min<std::size_t>(payload.size(), 65535 - sizeof(nlattr)));
    Append(nlattr{static_cast<std::uint16_t>(sizeof(nlattr) + payload.size()), node.type}, to);
    to.insert(to.end(), payload.begin(), payload.end());
    to.resize(NLA_ALIGN(to.size()));
  }
}

Message TakeMessageApart(const nlmsghdr& header, Bytes payload) {
  // Sizes of family headers: nfgenmsg; inet_diag_msg; ifaddrmsg; rtmsg.
  for (const std::size_t start : {4U, 72U, 8U, 12U}) {
    if (payload.size() > start) {
      if (auto attributes = TakeApart(payload.subspan(start))) {
        return {header, Buffer(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(start)),
                std::move(*attributes)};
      }
    }
  }
  return {header, Buffer(payload.begin(), payload.end()), {}};
}

std::vector<Message> TakeDatagramApart(Bytes datagram) {
  if (auto attributes = TakeApart(datagram)) {  // a part of a recording that is no datagram
    return {Message{std::nullopt, {}, std::move(*attributes)}};
  }
  std::vector<Message> messages;
  while (!datagram.empty()) {
    const auto header = kernel::netlink::Attribute(0, datagram).Read<nlmsghdr>();
    if (!header || header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > datagram.size()) {
      messages.push_back({std::nullopt, Buffer(datagram.begin(), datagram.end()), {}});
      break;
    }
    messages.push_back(
        TakeMessageApart(*header, datagram.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr))));
    datagram = datagram.subspan(std::min<std::size_t>(NLMSG_ALIGN(header->nlmsg_len), datagram.size()));
  }
  return messages;
}

Buffer Write(const std::vector<Message>& messages) {
  Buffer datagram;
  for (const Message& message : messages) {
    Buffer payload = message.start;
    Write(message.attributes, payload);
    if (message.header) {
      nlmsghdr header = *message.header;
      header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + payload.size());
      Append(header, datagram);
    }
    datagram.insert(datagram.end(), payload.begin(), payload.end());
    datagram.resize(message.header ? NLMSG_ALIGN(datagram.size()) : datagram.size());
  }
  return datagram;
}

class TreeMutator {
 public:
  TreeMutator(std::mt19937& random, const ByteMutator& mutate_bytes) : random_(random), mutate_bytes_(mutate_bytes) {}

  void Change(std::vector<Message>& messages) {
    if (messages.empty()) {
      return;
    }
    std::vector<std::vector<Node>*> lists;
    for (Message& message : messages) {
      Collect(message.attributes, lists);
    }
    if (!lists.empty() && Below(8) != 0) {
      ChangeAttribute(*lists[Below(lists.size())], *lists[Below(lists.size())]);
      return;
    }
    Message& message = messages[Below(messages.size())];
    switch (Below(5)) {
      case 0:
        messages.erase(messages.begin() + static_cast<std::ptrdiff_t>(Below(messages.size())));
        break;
      case 1:
        messages.push_back(Message(message));
        break;
      case 2:
        std::swap(message, messages[Below(messages.size())]);
        break;
      case 3:
        if (message.header) {
          constexpr std::uint16_t kTypes[] = {NLMSG_NOOP, NLMSG_ERROR, NLMSG_DONE, NLMSG_OVERRUN};
          message.header->nlmsg_type = Below(2) == 0
                                           ? kTypes[Below(4)]
                                           : messages[Below(messages.size())].header.value_or(nlmsghdr{}).nlmsg_type;
          message.header->nlmsg_flags ^= static_cast<std::uint16_t>(1U << Below(16));
        }
        break;
      default:
        MutatePayload(message.start);
        break;
    }
  }

 private:
  std::size_t Below(std::size_t limit) { return random_() % limit; }

  static void Collect(std::vector<Node>& nodes, std::vector<std::vector<Node>*>& lists) {
    if (nodes.empty()) {
      return;
    }
    lists.push_back(&nodes);
    for (Node& node : nodes) {
      Collect(node.nested, lists);
    }
  }

  void MutatePayload(Buffer& payload) {
    const std::size_t size = payload.size();
    payload.resize(size + 16);
    payload.resize(mutate_bytes_(payload.data(), size, payload.size()));
  }

  void ChangeAttribute(std::vector<Node>& nodes, std::vector<Node>& elsewhere) {
    const std::size_t at = Below(nodes.size());
    switch (Below(6)) {
      case 0:
        nodes.erase(nodes.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      case 1:
        nodes.push_back(Node(nodes[at]));
        break;
      case 2:
        nodes[at].type = static_cast<std::uint16_t>(Below(4) == 0 ? random_() : Below(24));
        break;
      case 3: {
        const Node moved = elsewhere[Below(elsewhere.size())];
        nodes[at] = moved;
        break;
      }
      default:
        nodes[at].nested.clear();
        MutatePayload(nodes[at].payload);
        break;
    }
  }

  std::mt19937& random_;
  const ByteMutator& mutate_bytes_;
};

}  // namespace

std::vector<std::byte> Mutate(Bytes input, Shape shape, std::mt19937& random, const ByteMutator& mutate_bytes) {
  // One time in four the lengths are not spared, so that broken ones occur as well.
  TreeMutator mutator(random, mutate_bytes);
  if (shape == Shape::kAttributes && random() % 4 != 0) {
    if (auto attributes = TakeApart(input)) {
      std::vector<Message> whole = {Message{std::nullopt, {}, std::move(*attributes)}};
      mutator.Change(whole);
      return Write(whole);
    }
  }
  Datagrams datagrams;
  if (shape == Shape::kRecording && random() % 4 != 0) {
    datagrams = SplitRecording(input);
  }
  if (!datagrams.empty()) {
    Buffer& datagram = datagrams[random() % datagrams.size()];
    if (random() % 16 == 0) {
      Buffer& other = datagrams[random() % datagrams.size()];
      if (random() % 2 == 0) {
        std::swap(datagram, other);
      } else {
        datagram.insert(datagram.end(), other.begin(), other.end());
      }
    } else {
      auto messages = TakeDatagramApart(datagram);
      mutator.Change(messages);
      datagram = Write(messages);
    }
    return JoinRecording(datagrams);
  }
  Buffer bytes(input.begin(), input.end());
  bytes.resize(input.size() + 64);
  bytes.resize(mutate_bytes(bytes.data(), input.size(), bytes.size()));
  return bytes;
}

ByteMutator PlainByteMutator(std::mt19937& random) {
  return [&random](std::byte* bytes, std::size_t size, std::size_t capacity) -> std::size_t {
    const std::size_t at = size == 0 ? 0 : random() % size;
    switch (random() % 5) {
      case 0:
        if (size > 0) {
          bytes[at] ^= static_cast<std::byte>(1U << (random() % 8));
        }
        return size;
      case 1:
        if (size > 0) {
          constexpr unsigned kTelling[] = {0, 1, 0x7F, 0x80, 0xFF, '\n', '"', '\\', '%', ' '};
          bytes[at] = static_cast<std::byte>(kTelling[random() % std::size(kTelling)]);
        }
        return size;
      case 2: {
        const std::size_t gone = size == 0 ? 0 : 1 + random() % std::min<std::size_t>(size - at, 8);
        std::memmove(bytes + at, bytes + at + gone, size - at - gone);
        return size - gone;
      }
      case 3: {
        const std::size_t more = std::min<std::size_t>(1 + random() % 8, capacity - size);
        std::memmove(bytes + at + more, bytes + at, size - at);
        for (std::size_t i = 0; i < more; ++i) {
          bytes[at + i] = static_cast<std::byte>(random());
        }
        return size + more;
      }
      default: {
        const std::size_t more = std::min({size - at, capacity - size, std::size_t{16}});
        std::memmove(bytes + at + more, bytes + at, size - at);
        return size + more;
      }
    }
  };
}

}  // namespace finwait::fuzz
