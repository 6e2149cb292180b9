#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "collectors/firewall/model/expression.h"
#include "collectors/firewall/read/nft_attributes.h"

/// The decoders behind DecodeExpression, in two tables. Each returns nothing when an attribute that the expression
/// cannot do without is missing or malformed. Numbers that the kernel always sends but that nothing depends on default
/// to 0.
namespace finwait::firewall::read {

using Decoded = std::optional<Expression>;

struct ExpressionDecoder {
  std::string_view name;  ///< NFTA_EXPR_NAME
  Decoded (*decode)(const AttributeMap&);
};

/// What loads, computes and compares (nft_loads.cc).
std::span<const ExpressionDecoder> LoadDecoders();
/// What limits, counts, acts and ends a rule (nft_statements.cc).
std::span<const ExpressionDecoder> StatementDecoders();

inline std::optional<Register> RegisterAt(const AttributeMap& attributes, std::uint16_t type) {
  return DecodeRegister(attributes.Number(type));
}

inline bool IsSet(const AttributeMap& attributes, std::uint16_t type, std::uint32_t flag) {
  return (attributes.Number(type).value_or(0) & flag) != 0;
}

/// Whether a value of `length` bytes lies within the data area at `place`.
inline bool Fits(Register place, std::size_t length) {
  return length > 0 && length <= Register::kAreaSize && place.offset + length <= Register::kAreaSize;
}

}  // namespace finwait::firewall::read
