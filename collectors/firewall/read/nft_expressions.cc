#include "collectors/firewall/read/nft_expressions.h"

#include <algorithm>
#include <utility>

#include "collectors/firewall/read/nft_decoders.h"

namespace finwait::firewall::read {
namespace {

constexpr std::size_t kMaxExpressionName = 32;

const ExpressionDecoder* FindDecoder(std::string_view name) {
  for (const auto decoders : {LoadDecoders(), StatementDecoders()}) {
    const auto found = std::find_if(decoders.begin(), decoders.end(),
                                    [&](const ExpressionDecoder& decoder) { return decoder.name == name; });
    if (found != decoders.end()) {
      return &*found;
    }
  }
  return nullptr;
}

}  // namespace

std::string ExpressionName(kernel::netlink::Bytes nest) {
  return AttributeMap(nest).Text(NFTA_EXPR_NAME).substr(0, kMaxExpressionName);
}

void AddCarried(kernel::netlink::Bytes nest, std::vector<std::string>& names, std::optional<ConnectionLimit>& limit) {
  std::string name = ExpressionName(nest);
  if (name == "connlimit") {
    const bool first = std::find(names.begin(), names.end(), name) == names.end();
    const Expression expression = DecodeExpression(nest);
    const auto* decoded = std::get_if<ConnectionLimit>(&expression);
    limit = first && decoded != nullptr ? std::optional(*decoded) : std::nullopt;
  }
  if (names.size() < kMaxExpressions) {
    names.push_back(std::move(name));
  }
}

Expression DecodeExpression(kernel::netlink::Bytes nest) {
  const AttributeMap expression(nest);
  std::string name = expression.Text(NFTA_EXPR_NAME).substr(0, kMaxExpressionName);
  const ExpressionDecoder* decoder = FindDecoder(name);
  if (decoder == nullptr) {
    return UnknownExpression{std::move(name), "not known to this version"};
  }
  const AttributeMap attributes(expression.Nested(NFTA_EXPR_DATA));
  Decoded decoded = attributes.WellFormed() ? decoder->decode(attributes) : std::nullopt;
  if (!decoded) {
    return UnknownExpression{std::move(name), "sent in a shape that this version does not understand"};
  }
  return std::move(*decoded);
}

std::vector<Expression> DecodeExpressions(kernel::netlink::Bytes list) {
  std::vector<Expression> expressions;
  bool complete = true;
  const bool well_formed = kernel::netlink::ForEachAttribute(list, [&](const kernel::netlink::Attribute& element) {
    if (element.Type() != NFTA_LIST_ELEM) {
      return;
    }
    if (expressions.size() < kMaxExpressions) {
      expressions.push_back(DecodeExpression(element.Payload()));
    } else {
      complete = false;
    }
  });
  if (!well_formed || !complete) {
    expressions.emplace_back(UnknownExpression{"", "the rule's end could not be read"});
  }
  expressions.shrink_to_fit();  // rules are many, and an expression is large
  return expressions;
}

}  // namespace finwait::firewall::read
