#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collectors/kernel/netlink/attributes.h"

/// What a kernel sent, written down so that a change of it reads as a change of it.
namespace finwait::recording {

using kernel::netlink::Bytes;
using ByteVector = std::vector<std::byte>;

/// One message of NETLINK_NETFILTER. Its sequence number and port belong to the one exchange and are left out.
struct Message {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  ByteVector payload;  ///< behind the nlmsghdr
  bool operator==(const Message&) const = default;
};

/// One line: type, flags, the family header, then the attributes as `TYPE=VALUE`. A value is text in quotes, a nest in
/// braces, or bytes in hex, in which `zN.` stands for N zero bytes. Nothing is lost: ParseMessage gives the same bytes.
std::string TextOf(const Message& message);
/// Throws std::runtime_error where `line` is not what TextOf writes.
Message ParseMessage(std::string_view line);

/// Bytes in hex, with `zN.` for N zero bytes, and back.
std::string HexOf(Bytes bytes);
ByteVector ParseHex(std::string_view hex);

}  // namespace finwait::recording
