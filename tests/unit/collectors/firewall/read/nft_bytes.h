#pragma once

#include <gtest/gtest.h>
#include <linux/netfilter/nf_tables.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "collectors/firewall/model/expression.h"
#include "collectors/firewall/read/nft_expressions.h"
#include "tests/unit/collectors/firewall/read/message_parts.h"

/// Expressions of nftables as the bytes that the kernel's dump functions make (nft_*_dump() of net/netfilter).
namespace finwait::firewall::read {

/// nft_data_dump() of a value.
inline Put Data(std::uint16_t type, Value value) { return Nest(type, {Raw(NFTA_DATA_VALUE, std::move(value))}); }
/// nft_data_dump() of a verdict; the kernel sends a chain with jumps only.
inline Put VerdictData(std::uint16_t type, std::int32_t code, const std::string& chain = {}) {
  std::vector<Put> parts = {Number32(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(code))};
  if (!chain.empty()) {
    parts.push_back(Text(NFTA_VERDICT_CHAIN, chain));
  }
  return Nest(type, {Nest(NFTA_DATA_VERDICT, std::move(parts))});
}
/// nf_tables_fill_expr_info(): an expression's name and what it dumps of itself.
inline Put Named(std::uint16_t type, const std::string& name, std::vector<Put> parts) {
  return Nest(type, {Text(NFTA_EXPR_NAME, name), Nest(NFTA_EXPR_DATA, std::move(parts))});
}

inline Expression Decoded(const std::string& name, std::vector<Put> parts) {
  return DecodeExpression(BytesOfParts({Text(NFTA_EXPR_NAME, name), Nest(NFTA_EXPR_DATA, std::move(parts))}));
}
/// The same, and throws where it is another.
template <typename T>
T DecodedAs(const std::string& name, std::vector<Put> parts) {
  return std::get<T>(Decoded(name, std::move(parts)));
}

/// Whether the decoder knows the kind of expression and cannot make sense of this one.
inline bool IsNotUnderstood(const Expression& expression, const std::string& name) {
  const auto* unknown = std::get_if<UnknownExpression>(&expression);
  return unknown != nullptr && unknown->name == name &&
         unknown->reason == "sent in a shape that this version does not understand";
}

/// A kind of expression by its attributes: those without which it means nothing, and the others.
struct Shape {
  const char* name = "";
  std::vector<Put> needed;
  std::vector<Put> optional;
};

/// Decodes it whole, without each of its attributes that are needed, and with these alone.
inline void ExpectNeeds(const Shape& shape) {
  SCOPED_TRACE(shape.name);
  const auto is_understood = [&](const std::vector<Put>& parts) {
    const Expression expression = Decoded(shape.name, parts);
    EXPECT_TRUE(IsNotUnderstood(expression, shape.name) || !std::holds_alternative<UnknownExpression>(expression));
    return !std::holds_alternative<UnknownExpression>(expression);
  };
  std::vector<Put> all = shape.needed;
  all.insert(all.end(), shape.optional.begin(), shape.optional.end());
  EXPECT_TRUE(is_understood(all));
  EXPECT_TRUE(is_understood(shape.needed));
  for (std::size_t i = 0; i < shape.needed.size(); ++i) {
    std::vector<Put> without = all;
    without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_FALSE(is_understood(without)) << "without its attribute " << i;
  }
}

}  // namespace finwait::firewall::read
