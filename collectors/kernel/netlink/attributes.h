#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace finwait::kernel::netlink {

using Bytes = std::span<const std::byte>;

/// One netlink attribute. Typed readers check the length first: an attribute that is shorter than the type asked for
/// reads as nothing, never as memory that is not its own.
class Attribute {
 public:
  Attribute(std::uint16_t type, Bytes payload) : type_(type), payload_(payload) {}

  /// The attribute's type without the NLA_F_NESTED and NLA_F_NET_BYTEORDER flags.
  std::uint16_t Type() const { return type_ & NLA_TYPE_MASK; }
  Bytes Payload() const { return payload_; }

  std::optional<std::uint8_t> U8() const { return Read<std::uint8_t>(); }
  /// In the host's byte order.
  std::optional<std::uint16_t> U16() const { return Read<std::uint16_t>(); }
  std::optional<std::uint32_t> U32() const { return Read<std::uint32_t>(); }
  std::optional<std::uint64_t> U64() const { return Read<std::uint64_t>(); }
  /// In network byte order on the wire; nfnetlink sends nearly all its numbers so.
  std::optional<std::uint16_t> BigEndian16() const { return BigEndian<std::uint16_t>(); }
  std::optional<std::uint32_t> BigEndian32() const { return BigEndian<std::uint32_t>(); }
  std::optional<std::uint64_t> BigEndian64() const { return BigEndian<std::uint64_t>(); }

  /// The text up to its first NUL, or all of it where there is none.
  std::string_view Text() const {
    const std::string_view all(reinterpret_cast<const char*>(payload_.data()), payload_.size());
    return all.substr(0, all.find('\0'));
  }

  /// The payload as a fixed structure of the kernel's, copied out of it so that alignment does not matter.
  template <typename T>
  std::optional<T> Read() const {
    if (payload_.size() < sizeof(T)) {
      return std::nullopt;
    }
    T value;
    std::memcpy(&value, payload_.data(), sizeof value);
    return value;
  }

 private:
  template <typename T>
  std::optional<T> BigEndian() const {
    if (payload_.size() < sizeof(T)) {
      return std::nullopt;
    }
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      value = static_cast<T>((value << 8) | std::to_integer<T>(payload_[i]));
    }
    return value;
  }

  std::uint16_t type_;
  Bytes payload_;
};

/// Calls `visit(const Attribute&)` for each attribute in `bytes`, in order. False when an attribute's length is shorter
/// than its header or runs past the end: what was visited before is sound, the rest is not there.
template <typename Visit>
bool ForEachAttribute(Bytes bytes, Visit&& visit) {
  while (bytes.size() >= sizeof(nlattr)) {
    nlattr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.nla_len < sizeof(nlattr) || header.nla_len > bytes.size()) {
      return false;
    }
    visit(Attribute(header.nla_type, bytes.subspan(sizeof(nlattr), header.nla_len - sizeof(nlattr))));
    const std::size_t aligned = NLA_ALIGN(header.nla_len);
    bytes = bytes.subspan(aligned < bytes.size() ? aligned : bytes.size());
  }
  return bytes.empty();
}

/// Calls `visit` for each attribute nested in `attribute`.
template <typename Visit>
bool ForEachAttribute(const Attribute& attribute, Visit&& visit) {
  return ForEachAttribute(attribute.Payload(), std::forward<Visit>(visit));
}

}  // namespace finwait::kernel::netlink
