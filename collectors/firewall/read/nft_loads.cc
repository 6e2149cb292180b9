#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "collectors/firewall/read/nft_decoders.h"
#include "collectors/firewall/read/nft_expressions.h"

namespace finwait::firewall::read {
namespace {

Decoded DecodeImmediate(const AttributeMap& attributes) {
  const auto number = attributes.Number(NFTA_IMMEDIATE_DREG);
  const kernel::netlink::Bytes data = attributes.Nested(NFTA_IMMEDIATE_DATA);
  if (number == NFT_REG_VERDICT) {
    auto verdict = DecodeVerdict(data);
    return verdict ? Decoded(VerdictStatement{std::move(*verdict)}) : std::nullopt;
  }
  const auto destination = DecodeRegister(number);
  auto value = DecodeValue(data);
  if (!destination || !value || !Fits(*destination, value->size())) {
    return std::nullopt;
  }
  return Immediate{*destination, std::move(*value)};
}

Decoded DecodePayload(const AttributeMap& attributes) {
  const auto base = attributes.Number(NFTA_PAYLOAD_BASE);
  const auto offset = attributes.Number(NFTA_PAYLOAD_OFFSET);
  const auto length = attributes.Number(NFTA_PAYLOAD_LEN);
  if (!base || !offset || !length) {
    return std::nullopt;
  }
  if (const auto source = RegisterAt(attributes, NFTA_PAYLOAD_SREG); source && Fits(*source, *length)) {
    return PayloadWrite{*base, *offset, *length, *source};
  }
  if (const auto destination = RegisterAt(attributes, NFTA_PAYLOAD_DREG); destination && Fits(*destination, *length)) {
    return PayloadLoad{*base, *offset, *length, *destination};
  }
  return std::nullopt;
}

Decoded DecodeMeta(const AttributeMap& attributes) {
  const auto key = attributes.Number(NFTA_META_KEY);
  if (!key) {
    return std::nullopt;
  }
  if (const auto source = RegisterAt(attributes, NFTA_META_SREG)) {
    return MetaSet{*key, *source};
  }
  const auto destination = RegisterAt(attributes, NFTA_META_DREG);
  return destination ? Decoded(MetaLoad{*key, *destination}) : std::nullopt;
}

Decoded DecodeCt(const AttributeMap& attributes) {
  const auto key = attributes.Number(NFTA_CT_KEY);
  const auto direction = attributes.Number8(NFTA_CT_DIRECTION);
  if (!key) {
    return std::nullopt;
  }
  if (const auto source = RegisterAt(attributes, NFTA_CT_SREG)) {
    return CtSet{*key, direction, *source};
  }
  const auto destination = RegisterAt(attributes, NFTA_CT_DREG);
  return destination ? Decoded(CtLoad{*key, direction, *destination}) : std::nullopt;
}

// The operand of a shift: a number in the host's order.
std::optional<std::uint32_t> ShiftOf(const Value& value) {
  std::uint32_t shift = 0;
  if (value.size() < sizeof shift) {
    return std::nullopt;
  }
  std::memcpy(&shift, value.data(), sizeof shift);
  return shift;
}

Decoded DecodeBitwise(const AttributeMap& attributes) {
  const auto source = RegisterAt(attributes, NFTA_BITWISE_SREG);
  const auto destination = RegisterAt(attributes, NFTA_BITWISE_DREG);
  const auto length = attributes.Number(NFTA_BITWISE_LEN);
  if (!source || !destination || !length || !Fits(*source, *length) || !Fits(*destination, *length)) {
    return std::nullopt;
  }
  Bitwise bitwise;
  bitwise.operation = attributes.Number(NFTA_BITWISE_OP).value_or(NFT_BITWISE_BOOL);  // absent before Linux 5.6
  bitwise.source = *source;
  bitwise.destination = *destination;
  bitwise.length = *length;
  if (bitwise.operation == NFT_BITWISE_BOOL) {
    auto mask = DecodeValue(attributes.Nested(NFTA_BITWISE_MASK));
    auto xor_value = DecodeValue(attributes.Nested(NFTA_BITWISE_XOR));
    if (!mask || !xor_value || mask->size() != *length || xor_value->size() != *length) {
      return std::nullopt;
    }
    bitwise.mask = std::move(*mask);
    bitwise.xor_value = std::move(*xor_value);
    return bitwise;
  }
  auto data = DecodeValue(attributes.Nested(NFTA_BITWISE_DATA));
  if (bitwise.operation == NFT_BITWISE_LSHIFT || bitwise.operation == NFT_BITWISE_RSHIFT) {
    const auto shift = data ? ShiftOf(*data) : std::nullopt;
    if (!shift) {
      return std::nullopt;
    }
    bitwise.shift = *shift;
    return bitwise;
  }
  bitwise.second_source = RegisterAt(attributes, kBitwiseSecondSource);
  if (bitwise.second_source ? !Fits(*bitwise.second_source, *length) : !data || data->size() != *length) {
    return std::nullopt;
  }
  if (data) {
    bitwise.mask = std::move(*data);
  }
  return bitwise;
}

Decoded DecodeByteOrder(const AttributeMap& attributes) {
  const auto source = RegisterAt(attributes, NFTA_BYTEORDER_SREG);
  const auto destination = RegisterAt(attributes, NFTA_BYTEORDER_DREG);
  const auto operation = attributes.Number(NFTA_BYTEORDER_OP);
  const auto length = attributes.Number(NFTA_BYTEORDER_LEN);
  const auto size = attributes.Number(NFTA_BYTEORDER_SIZE);
  if (!source || !destination || !operation || !length || !size || !Fits(*source, *length) ||
      !Fits(*destination, *length) || (*size != 2 && *size != 4 && *size != 8)) {
    return std::nullopt;
  }
  return ByteOrder{*operation, *source, *destination, *length, *size};
}

Decoded DecodeNumberGenerator(const AttributeMap& attributes) {
  const auto destination = RegisterAt(attributes, NFTA_NG_DREG);
  if (!destination) {
    return std::nullopt;
  }
  return NumberGenerator{attributes.Number(NFTA_NG_TYPE).value_or(0), attributes.Number(NFTA_NG_MODULUS).value_or(0),
                         attributes.Number(NFTA_NG_OFFSET).value_or(0), *destination};
}

Decoded DecodeHash(const AttributeMap& attributes) {
  const auto destination = RegisterAt(attributes, NFTA_HASH_DREG);
  if (!destination) {
    return std::nullopt;
  }
  Hash hash;
  hash.type = attributes.Number(NFTA_HASH_TYPE).value_or(NFT_HASH_JENKINS);
  hash.source = RegisterAt(attributes, NFTA_HASH_SREG).value_or(Register{});  // a symmetric hash has none
  hash.destination = *destination;
  hash.length = attributes.Number(NFTA_HASH_LEN).value_or(0);
  hash.modulus = attributes.Number(NFTA_HASH_MODULUS).value_or(0);
  hash.seed = attributes.Number(NFTA_HASH_SEED).value_or(0);
  hash.offset = attributes.Number(NFTA_HASH_OFFSET).value_or(0);
  return hash;
}

Decoded DecodeFib(const AttributeMap& attributes) {
  const auto destination = RegisterAt(attributes, NFTA_FIB_DREG);
  const auto result = attributes.Number(NFTA_FIB_RESULT);
  const auto flags = attributes.Number(NFTA_FIB_FLAGS);
  return destination && result && flags ? Decoded(Fib{*result, *flags, *destination}) : std::nullopt;
}

Decoded DecodeRoute(const AttributeMap& attributes) {
  const auto destination = RegisterAt(attributes, NFTA_RT_DREG);
  const auto key = attributes.Number(NFTA_RT_KEY);
  return destination && key ? Decoded(RouteLoad{*key, *destination}) : std::nullopt;
}

Decoded DecodeExtensionHeader(const AttributeMap& attributes) {
  const auto type = attributes.Number8(NFTA_EXTHDR_TYPE);
  if (!type) {
    return std::nullopt;
  }
  ExtensionHeader header;
  header.operation = attributes.Number(NFTA_EXTHDR_OP).value_or(NFT_EXTHDR_OP_IPV6);
  header.type = *type;
  header.offset = attributes.Number(NFTA_EXTHDR_OFFSET).value_or(0);
  header.length = attributes.Number(NFTA_EXTHDR_LEN).value_or(0);
  header.flags = attributes.Number(NFTA_EXTHDR_FLAGS).value_or(0);
  header.destination = RegisterAt(attributes, NFTA_EXTHDR_DREG);
  header.source = RegisterAt(attributes, NFTA_EXTHDR_SREG);
  for (const auto& place : {header.destination, header.source}) {
    if (place && !Fits(*place, header.length)) {
      return std::nullopt;
    }
  }
  return header;
}

Decoded DecodeSocket(const AttributeMap& attributes) {
  const auto destination = RegisterAt(attributes, NFTA_SOCKET_DREG);
  const auto key = attributes.Number(NFTA_SOCKET_KEY);
  if (!destination || !key) {
    return std::nullopt;
  }
  return SocketLoad{*key, attributes.Number(NFTA_SOCKET_LEVEL).value_or(0), *destination};
}

Decoded DecodeOsFingerprint(const AttributeMap& attributes) {
  const auto destination = RegisterAt(attributes, NFTA_OSF_DREG);
  return destination ? Decoded(OsFingerprint{*destination}) : std::nullopt;
}

Decoded DecodeTunnel(const AttributeMap& attributes) {
  const auto destination = RegisterAt(attributes, NFTA_TUNNEL_DREG);
  const auto key = attributes.Number(NFTA_TUNNEL_KEY);
  if (!destination || !key) {
    return std::nullopt;
  }
  return TunnelLoad{*key, attributes.Number(NFTA_TUNNEL_MODE).value_or(0), *destination};
}

Decoded DecodeXfrm(const AttributeMap& attributes) {
  const auto destination = RegisterAt(attributes, NFTA_XFRM_DREG);
  const auto key = attributes.Number(NFTA_XFRM_KEY);
  if (!destination || !key) {
    return std::nullopt;
  }
  return XfrmLoad{*key, attributes.Number8(NFTA_XFRM_DIR).value_or(0), attributes.Number(NFTA_XFRM_SPNUM).value_or(0),
                  *destination};
}

Decoded DecodeInner(const AttributeMap& attributes) {
  return Inner{attributes.Number(kInnerType).value_or(0), ExpressionName(attributes.Nested(kInnerExpression))};
}

Decoded DecodeCompare(const AttributeMap& attributes) {
  const auto source = RegisterAt(attributes, NFTA_CMP_SREG);
  const auto operation = attributes.Number(NFTA_CMP_OP);
  auto value = DecodeValue(attributes.Nested(NFTA_CMP_DATA));
  if (!source || !operation || !value || !Fits(*source, value->size())) {
    return std::nullopt;
  }
  return Compare{*operation, *source, std::move(*value)};
}

Decoded DecodeRange(const AttributeMap& attributes) {
  const auto source = RegisterAt(attributes, NFTA_RANGE_SREG);
  const auto operation = attributes.Number(NFTA_RANGE_OP);
  auto from = DecodeValue(attributes.Nested(NFTA_RANGE_FROM_DATA));
  auto to = DecodeValue(attributes.Nested(NFTA_RANGE_TO_DATA));
  if (!source || !operation || !from || !to || from->size() != to->size() || !Fits(*source, from->size())) {
    return std::nullopt;
  }
  return Range{*operation, *source, std::move(*from), std::move(*to)};
}

Decoded DecodeLookup(const AttributeMap& attributes) {
  Lookup lookup;
  lookup.set = attributes.Text(NFTA_LOOKUP_SET);
  const auto source = RegisterAt(attributes, NFTA_LOOKUP_SREG);
  if (lookup.set.empty() || !source) {
    return std::nullopt;
  }
  lookup.source = *source;
  lookup.inverted = IsSet(attributes, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
  if (const auto destination = attributes.Number(NFTA_LOOKUP_DREG)) {
    lookup.verdict = *destination == NFT_REG_VERDICT;
    lookup.destination = DecodeRegister(destination);
    if (!lookup.verdict && !lookup.destination) {
      return std::nullopt;
    }
  }
  return lookup;
}

Decoded DecodeDynamicSet(const AttributeMap& attributes) {
  DynamicSet dynamic;
  dynamic.set = attributes.Text(NFTA_DYNSET_SET_NAME);
  const auto key = RegisterAt(attributes, NFTA_DYNSET_SREG_KEY);
  if (dynamic.set.empty() || !key) {
    return std::nullopt;
  }
  dynamic.operation = attributes.Number(NFTA_DYNSET_OP).value_or(0);
  dynamic.key = *key;
  dynamic.data = RegisterAt(attributes, NFTA_DYNSET_SREG_DATA);
  const std::uint64_t timeout = attributes.Number64(NFTA_DYNSET_TIMEOUT).value_or(0);  // in milliseconds
  dynamic.timeout_seconds =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(timeout / 1000 + (timeout % 1000 != 0 ? 1 : 0), UINT32_MAX));
  dynamic.inverted = IsSet(attributes, NFTA_DYNSET_FLAGS, NFT_DYNSET_F_INV);
  if (attributes.Find(NFTA_DYNSET_EXPR) != nullptr) {
    AddCarried(attributes.Nested(NFTA_DYNSET_EXPR), dynamic.expressions, dynamic.connection_limit);
  }
  kernel::netlink::ForEachAttribute(attributes.Nested(NFTA_DYNSET_EXPRESSIONS),
                                    [&](const kernel::netlink::Attribute& element) {
                                      AddCarried(element.Payload(), dynamic.expressions, dynamic.connection_limit);
                                    });
  return dynamic;
}

constexpr ExpressionDecoder kLoads[] = {
    {"bitwise", DecodeBitwise},
    {"byteorder", DecodeByteOrder},
    {"cmp", DecodeCompare},
    {"ct", DecodeCt},
    {"dynset", DecodeDynamicSet},
    {"exthdr", DecodeExtensionHeader},
    {"fib", DecodeFib},
    {"hash", DecodeHash},
    {"immediate", DecodeImmediate},
    {"inner", DecodeInner},
    {"lookup", DecodeLookup},
    {"meta", DecodeMeta},
    {"numgen", DecodeNumberGenerator},
    {"osf", DecodeOsFingerprint},
    {"payload", DecodePayload},
    {"range", DecodeRange},
    {"rt", DecodeRoute},
    {"socket", DecodeSocket},
    {"tunnel", DecodeTunnel},
    {"xfrm", DecodeXfrm},
};

}  // namespace

std::span<const ExpressionDecoder> LoadDecoders() { return kLoads; }

}  // namespace finwait::firewall::read
