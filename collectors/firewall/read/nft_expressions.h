#pragma once

#include <optional>
#include <string>
#include <vector>

#include "collectors/firewall/model/expression.h"
#include "collectors/kernel/netlink/attributes.h"

/// Decodes what nftables' rules and set elements are made of (linux/netfilter/nf_tables.h, nf_tables_compat.h).
namespace finwait::firewall::read {

/// The kernel takes no more in one rule (NFT_RULE_MAXEXPRS).
inline constexpr std::size_t kMaxExpressions = 128;

/// One nest of NFTA_EXPR_*. Whatever is not understood becomes an UnknownExpression, never nothing. Sound on any bytes.
/// In what it returns, a register and the length beside it always fit into the data area.
Expression DecodeExpression(kernel::netlink::Bytes nest);

/// A list of NFTA_LIST_ELEM, each an expression. What lies beyond kMaxExpressions, or cannot be told apart, becomes one
/// UnknownExpression at the end.
std::vector<Expression> DecodeExpressions(kernel::netlink::Bytes list);

/// Adds one nest of NFTA_EXPR_* to the names of what a set's element carries. `limit`: that of a "connlimit"; nothing
/// where there are several, or none.
void AddCarried(kernel::netlink::Bytes nest, std::vector<std::string>& names, std::optional<ConnectionLimit>& limit);

/// NFTA_EXPR_NAME of one nest of NFTA_EXPR_*, bounded.
std::string ExpressionName(kernel::netlink::Bytes nest);

}  // namespace finwait::firewall::read
