#pragma once

#include <linux/netfilter/nf_tables.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collectors/firewall/model/expression.h"
#include "collectors/kernel/netlink/attributes.h"

/// What the decoders of nftables' messages share.
namespace finwait::firewall::read {

// Newer than the headers this is built with (linux/netfilter/nf_tables.h).
inline constexpr std::uint16_t kBitwiseSecondSource = 8;  ///< NFTA_BITWISE_SREG2, Linux 6.13
inline constexpr std::uint16_t kDevicePrefix = 2;         ///< NFTA_DEVICE_PREFIX, Linux 6.16
inline constexpr std::uint16_t kInnerType = 2;            ///< NFTA_INNER_TYPE, Linux 6.2
inline constexpr std::uint16_t kInnerExpression = 5;      ///< NFTA_INNER_EXPR

/// The attributes of one nest, by type. Types that no decoder here asks for are dropped; of a repeated type the last
/// one counts, as in the kernel's own parser.
class AttributeMap {
 public:
  explicit AttributeMap(kernel::netlink::Bytes bytes) {
    well_formed_ = kernel::netlink::ForEachAttribute(bytes, [this](const kernel::netlink::Attribute& attribute) {
      if (attribute.Type() < attributes_.size()) {
        attributes_[attribute.Type()] = attribute;
      }
    });
  }

  /// False when the nest's bytes end in the middle of an attribute.
  bool WellFormed() const { return well_formed_; }
  /// Null when there is none.
  const kernel::netlink::Attribute* Find(std::uint16_t type) const {
    return type < attributes_.size() && attributes_[type] ? &*attributes_[type] : nullptr;
  }

  /// A number in network order; nothing when it is missing or too short.
  std::optional<std::uint32_t> Number(std::uint16_t type) const {
    const kernel::netlink::Attribute* attribute = Find(type);
    return attribute != nullptr ? attribute->BigEndian32() : std::nullopt;
  }
  std::optional<std::uint16_t> Number16(std::uint16_t type) const {
    const kernel::netlink::Attribute* attribute = Find(type);
    return attribute != nullptr ? attribute->BigEndian16() : std::nullopt;
  }
  std::optional<std::uint64_t> Number64(std::uint16_t type) const {
    const kernel::netlink::Attribute* attribute = Find(type);
    return attribute != nullptr ? attribute->BigEndian64() : std::nullopt;
  }
  std::optional<std::uint8_t> Number8(std::uint16_t type) const {
    const kernel::netlink::Attribute* attribute = Find(type);
    return attribute != nullptr ? attribute->U8() : std::nullopt;
  }
  /// Empty when it is missing. The kernel bounds names at 255 bytes (NFT_NAME_MAXLEN); so does this.
  std::string Text(std::uint16_t type) const {
    const kernel::netlink::Attribute* attribute = Find(type);
    return attribute != nullptr ? std::string(attribute->Text().substr(0, NFT_NAME_MAXLEN - 1)) : std::string();
  }
  kernel::netlink::Bytes Nested(std::uint16_t type) const {
    const kernel::netlink::Attribute* attribute = Find(type);
    return attribute != nullptr ? attribute->Payload() : kernel::netlink::Bytes();
  }

 private:
  std::array<std::optional<kernel::netlink::Attribute>, 32> attributes_;
  bool well_formed_ = true;
};

/// A data register; nothing for the verdict register and numbers that are no register.
std::optional<Register> DecodeRegister(std::optional<std::uint32_t> number);

/// NFTA_DATA_*: a value of 1 to 64 bytes (NFT_DATA_VALUE_MAXLEN).
std::optional<Value> DecodeValue(kernel::netlink::Bytes nest);
/// NFTA_DATA_*: a verdict that this version knows.
std::optional<Verdict> DecodeVerdict(kernel::netlink::Bytes nest);
/// NFTA_COUNTER_*.
std::optional<Counter> DecodeCounter(const AttributeMap& counter);

}  // namespace finwait::firewall::read
