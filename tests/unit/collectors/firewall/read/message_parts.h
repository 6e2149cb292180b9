#pragma once

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "collectors/firewall/model/expression.h"
#include "collectors/kernel/netlink/request.h"
#include "tests/unit/collectors/kernel/netlink/fake_transport.h"

/// Netlink attributes, put together as a tree.
namespace finwait::firewall::read {

using kernel::netlink::Request;

inline Value Bytes(std::initializer_list<unsigned> bytes) {
  Value value;
  for (const unsigned byte : bytes) {
    value.push_back(static_cast<std::byte>(byte));
  }
  return value;
}

/// Puts attributes into a message.
using Put = std::function<void(Request&)>;

inline Put Number8(std::uint16_t type, std::uint8_t value) {
  return [=](Request& into) { into.PutU8(type, value); };
}
inline Put Number16(std::uint16_t type, std::uint16_t value) {
  return [=](Request& into) { into.PutBigEndian16(type, value); };
}
inline Put Number32(std::uint16_t type, std::uint32_t value) {
  return [=](Request& into) { into.PutBigEndian32(type, value); };
}
inline Put Number64(std::uint16_t type, std::uint64_t value) {
  return [=](Request& into) { into.PutBigEndian64(type, value); };
}
inline Put Text(std::uint16_t type, std::string value) {
  return [type, value = std::move(value)](Request& into) { into.PutText(type, value); };
}
inline Put Raw(std::uint16_t type, Value value) {
  return [type, value = std::move(value)](Request& into) { into.PutBytes(type, value); };
}
inline Put Nest(std::uint16_t type, std::vector<Put> parts) {
  return [type, parts = std::move(parts)](Request& into) {
    into.BeginNested(type);
    for (const Put& put : parts) {
      put(into);
    }
    into.EndNested();
  };
}
/// The attributes alone, without the message around them.
inline Value BytesOfParts(const std::vector<Put>& parts) {
  Request request(0);
  for (const Put& put : parts) {
    put(request);
  }
  const kernel::netlink::Bytes bytes = request.Data().subspan(sizeof(nlmsghdr));
  return Value(bytes.begin(), bytes.end());
}

/// A message of netfilter's with these attributes, as a part of a FakeKernel's answer.
inline kernel::netlink::FakeMessage NetfilterMessage(std::uint8_t subsystem, std::uint8_t message, std::uint8_t family,
                                                     const std::vector<Put>& parts) {
  Request request(kernel::netlink::NetfilterType(subsystem, message));
  request.Header(nfgenmsg{family, NFNETLINK_V0, 0});
  for (const Put& put : parts) {
    put(request);
  }
  return MessageOf(request);
}

}  // namespace finwait::firewall::read
