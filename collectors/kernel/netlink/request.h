#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "collectors/kernel/netlink/attributes.h"

namespace finwait::kernel::netlink {

/// One netlink request under construction: a message header, a fixed family header, then attributes. Built with libmnl.
/// Bounded at kCapacity bytes. Programming errors throw: std::length_error for writing past that, std::logic_error for
/// nested attributes that are closed but not open, or left open.
class Request {
 public:
  static constexpr std::size_t kCapacity = 4096;

  /// `type` must be on the list in read_requests.h, or sending will fail.
  explicit Request(std::uint16_t type, std::uint16_t flags = 0);

  /// Appends the family's fixed header (nfgenmsg, inet_diag_req_v2, rtmsg). Call it once, before any attribute.
  template <typename T>
  Request& Header(const T& header) {
    PutHeader(&header, sizeof header);
    return *this;
  }
  Request& PutU8(std::uint16_t type, std::uint8_t value);
  Request& PutU32(std::uint16_t type, std::uint32_t value);
  Request& PutBigEndian16(std::uint16_t type, std::uint16_t value);
  Request& PutBigEndian32(std::uint16_t type, std::uint32_t value);
  Request& PutBigEndian64(std::uint16_t type, std::uint64_t value);
  /// With its terminating NUL, as the kernel's NLA_STRING and NLA_NUL_STRING accept.
  Request& PutText(std::uint16_t type, const std::string& value);
  Request& PutBytes(std::uint16_t type, Bytes value);
  /// Opens a nested attribute; close it with EndNested, innermost first.
  Request& BeginNested(std::uint16_t type);
  Request& EndNested();

  /// For an nfnetlink request: (subsystem << 8) | message.
  std::uint16_t Type() const;
  /// The whole message as it goes to the kernel.
  Bytes Data() const;

 private:
  friend class Channel;
  nlmsghdr* Head();
  void PutHeader(const void* header, std::size_t size);
  void Require(std::size_t payload);

  std::vector<std::byte> buffer_;
  std::vector<std::size_t> nests_;  // offsets of the open nested attributes
};

/// The type of an nfnetlink message: NFNL_SUBSYS_* and the subsystem's own message number.
constexpr std::uint16_t NetfilterType(std::uint8_t subsystem, std::uint8_t message) {
  return static_cast<std::uint16_t>(subsystem << 8 | message);
}

}  // namespace finwait::kernel::netlink
