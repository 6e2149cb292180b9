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
  /// Whether the sender says so (NLA_F_NET_BYTEORDER). Most numbers in network byte order come without a word of it.
  bool IsMarkedBigEndian() const { return (type_ & NLA_F_NET_BYTEORDER) != 0; }
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

/// Walks the attributes of one nest, in order. Its error is sticky: an attribute whose length is shorter than its
/// header or runs past the end ends the walk, and one that is shorter than the type asked for, or a nest that is itself
/// malformed, is remembered too. A decoder reads all it wants and asks Sound() once, at the end.
///
///     AttributeReader reader(message.Attributes<nfgenmsg>());
///     while (reader.Next()) {
///       switch (reader.Type()) {
///         case CTA_STATUS: entry.status = reader.BigEndian32(); break;
///         case CTA_PROTOINFO: reader.Nested([&](AttributeReader& info) { ... }); break;
///       }
///     }
///     if (!reader.Sound()) { ... }
class AttributeReader {
 public:
  explicit AttributeReader(Bytes bytes) : rest_(bytes) {}

  /// Moves to the next attribute. False at the end, and at a malformed one: what was read before is sound.
  bool Next() {
    nlattr header;
    if (rest_.size() < sizeof header) {
      sound_ = sound_ && rest_.empty();
      return false;
    }
    std::memcpy(&header, rest_.data(), sizeof header);
    if (header.nla_len < sizeof header || header.nla_len > rest_.size()) {
      sound_ = false;
      return false;
    }
    current_ = Attribute(header.nla_type, rest_.subspan(sizeof header, header.nla_len - sizeof header));
    const std::size_t aligned = NLA_ALIGN(header.nla_len);
    rest_ = rest_.subspan(aligned < rest_.size() ? aligned : rest_.size());
    return true;
  }

  // Of the attribute that Next() has moved to.
  const Attribute& Current() const { return current_; }
  std::uint16_t Type() const { return current_.Type(); }
  Bytes Payload() const { return current_.Payload(); }
  std::string_view Text() const { return current_.Text(); }
  // 0 where it is too short, which Sound() then tells.
  std::uint8_t U8() { return Need(current_.U8()); }
  std::uint16_t U16() { return Need(current_.U16()); }
  std::uint32_t U32() { return Need(current_.U32()); }
  std::uint64_t U64() { return Need(current_.U64()); }
  std::uint16_t BigEndian16() { return Need(current_.BigEndian16()); }
  std::uint32_t BigEndian32() { return Need(current_.BigEndian32()); }
  std::uint64_t BigEndian64() { return Need(current_.BigEndian64()); }
  /// Calls `read(AttributeReader&)` once for each attribute nested in this one.
  template <typename Read>
  void Nested(Read&& read) {
    AttributeReader nest(Payload());
    while (nest.Next()) {
      read(nest);
    }
    sound_ = sound_ && nest.Sound();
  }

  bool Sound() const { return sound_; }

 private:
  template <typename T>
  T Need(std::optional<T> value) {
    sound_ = sound_ && value.has_value();
    return value.value_or(0);
  }

  Bytes rest_;
  Attribute current_{0, {}};
  bool sound_ = true;
};

/// Calls `visit(const Attribute&)` for each attribute in `bytes`, in order: AttributeReader for who reads numbers that
/// may be of several sizes. False when an attribute is malformed: what was visited before is sound.
template <typename Visit>
bool ForEachAttribute(Bytes bytes, Visit&& visit) {
  AttributeReader reader(bytes);
  while (reader.Next()) {
    visit(reader.Current());
  }
  return reader.Sound();
}

/// Calls `visit` for each attribute nested in `attribute`.
template <typename Visit>
bool ForEachAttribute(const Attribute& attribute, Visit&& visit) {
  return ForEachAttribute(attribute.Payload(), std::forward<Visit>(visit));
}

}  // namespace finwait::kernel::netlink
