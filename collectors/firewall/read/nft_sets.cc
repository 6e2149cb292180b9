#include "collectors/firewall/read/nft_sets.h"

#include <algorithm>
#include <utility>

#include "collectors/firewall/read/nft_attributes.h"
#include "collectors/firewall/read/nft_expressions.h"

namespace finwait::firewall::read {
namespace {

constexpr std::size_t kMaxFields = 16;  // NFT_REG32_COUNT: no more fit into the register area

// The lengths of a concatenation's fields (NFTA_SET_DESC_CONCAT).
std::vector<std::uint32_t> DecodeFields(kernel::netlink::Bytes description) {
  std::vector<std::uint32_t> lengths;
  kernel::netlink::ForEachAttribute(AttributeMap(description).Nested(NFTA_SET_DESC_CONCAT),
                                    [&](const kernel::netlink::Attribute& field) {
                                      const auto length = AttributeMap(field.Payload()).Number(NFTA_SET_FIELD_LEN);
                                      if (length && lengths.size() < kMaxFields) {
                                        lengths.push_back(*length);
                                      }
                                    });
  return lengths;
}

// The number before a big-endian number that is not 0.
Value Before(Value number) {
  for (auto byte = number.rbegin(); byte != number.rend(); ++byte) {
    const bool borrow = *byte == std::byte{0};
    *byte = static_cast<std::byte>(std::to_integer<unsigned>(*byte) - 1U);
    if (!borrow) {
      break;
    }
  }
  return number;
}

void DecodeElementExpression(kernel::netlink::Bytes nest, SetElement& element) {
  Expression expression = DecodeExpression(nest);
  if (const Counter* counter = std::get_if<Counter>(&expression)) {
    element.counter = *counter;
  } else {
    AddCarried(nest, element.expressions, element.connection_limit);
  }
}

}  // namespace

std::optional<Set> DecodeSet(kernel::netlink::Bytes bytes) {
  const AttributeMap attributes(bytes);
  Set set;
  set.name = attributes.Text(NFTA_SET_NAME);
  set.key_length = attributes.Number(NFTA_SET_KEY_LEN).value_or(0);
  if (!attributes.WellFormed() || set.name.empty() || set.key_length == 0 || set.key_length > Register::kAreaSize) {
    return std::nullopt;
  }
  const std::uint32_t flags = attributes.Number(NFTA_SET_FLAGS).value_or(0);
  set.anonymous = (flags & NFT_SET_ANONYMOUS) != 0;
  set.interval = (flags & NFT_SET_INTERVAL) != 0;
  set.object_map = (flags & NFT_SET_OBJECT) != 0;
  set.has_timeout = (flags & NFT_SET_TIMEOUT) != 0;
  set.dynamic = (flags & NFT_SET_EVAL) != 0;
  set.map = (flags & NFT_SET_MAP) != 0;
  set.key_type = attributes.Number(NFTA_SET_KEY_TYPE).value_or(0);
  set.data_type = attributes.Number(NFTA_SET_DATA_TYPE).value_or(0);
  set.data_length = set.map ? attributes.Number(NFTA_SET_DATA_LEN).value_or(0) : 0;
  set.verdict_map = set.map && set.data_type == NFT_DATA_VERDICT;
  set.field_lengths = DecodeFields(attributes.Nested(NFTA_SET_DESC));
  if (attributes.Find(NFTA_SET_EXPR) != nullptr) {
    set.expressions.push_back(ExpressionName(attributes.Nested(NFTA_SET_EXPR)));
  }
  kernel::netlink::ForEachAttribute(attributes.Nested(NFTA_SET_EXPRESSIONS),
                                    [&](const kernel::netlink::Attribute& expression) {
                                      if (set.expressions.size() < kMaxExpressions) {
                                        set.expressions.push_back(ExpressionName(expression.Payload()));
                                      }
                                    });
  return set;
}

SetBuilder::SetBuilder(Set description, std::size_t max_elements)
    : set_(std::move(description)), max_elements_(max_elements) {
  Restart();
}

void SetBuilder::Restart() {
  set_.contents = Contents::kComplete;
  set_.element_count = 0;
  set_.elements.clear();
  raw_.clear();
  catch_all_.reset();
}

bool SetBuilder::RangesInHalves() const { return set_.interval && set_.field_lengths.size() < 2; }

void SetBuilder::Add(kernel::netlink::Bytes bytes) {
  const AttributeMap attributes(bytes);
  const bool well_formed = kernel::netlink::ForEachAttribute(
      attributes.Nested(NFTA_SET_ELEM_LIST_ELEMENTS),
      [this](const kernel::netlink::Attribute& element) { AddElement(element.Payload()); });
  if (!well_formed || !attributes.WellFormed()) {
    set_.contents = Contents::kTruncated;
  }
}

void SetBuilder::AddElement(kernel::netlink::Bytes nest) {
  const AttributeMap attributes(nest);
  const std::uint32_t flags = attributes.Number(NFTA_SET_ELEM_FLAGS).value_or(0);
  RawElement raw;
  raw.interval_end = (flags & NFT_SET_ELEM_INTERVAL_END) != 0;
  raw.element.catch_all = (flags & NFT_SET_ELEM_CATCHALL) != 0;
  if (!raw.interval_end) {
    ++set_.element_count;
  }
  SetElement& element = raw.element;
  if (!element.catch_all) {
    if (raw_.size() == max_elements_) {
      set_.contents = Contents::kTruncated;
      return;
    }
    auto key = DecodeValue(attributes.Nested(NFTA_SET_ELEM_KEY));
    element.key_end = DecodeValue(attributes.Nested(NFTA_SET_ELEM_KEY_END));
    if (!key || key->size() != set_.key_length || (element.key_end && element.key_end->size() != key->size())) {
      set_.contents = Contents::kTruncated;
      return;
    }
    element.key = std::move(*key);
    if (element.key_end == element.key) {
      element.key_end.reset();
    }
  }
  if (set_.map && !raw.interval_end) {
    const kernel::netlink::Bytes data = attributes.Nested(NFTA_SET_ELEM_DATA);
    if (set_.verdict_map) {
      if (auto verdict = DecodeVerdict(data)) {
        element.data = std::move(*verdict);
      }
    } else if (auto value = DecodeValue(data)) {
      element.data = std::move(*value);
    }
    if (std::holds_alternative<std::monostate>(element.data)) {
      set_.contents = Contents::kTruncated;
      return;
    }
  } else if (set_.object_map && !raw.interval_end) {
    element.data = attributes.Text(NFTA_SET_ELEM_OBJREF);
  }
  if (attributes.Find(NFTA_SET_ELEM_EXPR) != nullptr) {
    DecodeElementExpression(attributes.Nested(NFTA_SET_ELEM_EXPR), element);
  }
  kernel::netlink::ForEachAttribute(
      attributes.Nested(NFTA_SET_ELEM_EXPRESSIONS),
      [&](const kernel::netlink::Attribute& expression) { DecodeElementExpression(expression.Payload(), element); });
  element.expires_ms = attributes.Number64(NFTA_SET_ELEM_EXPIRATION);
  if (element.catch_all) {
    catch_all_ = std::move(element);
  } else {
    raw_.push_back(std::move(raw));
  }
}

// The kernel finds the last half at or before a key and matches when that is a start. So a start reaches up to the next
// half, whichever kind that is, and the last start up to the largest key.
void SetBuilder::JoinHalves() {
  std::stable_sort(raw_.begin(), raw_.end(), [](const RawElement& left, const RawElement& right) {
    return left.element.key != right.element.key ? left.element.key < right.element.key
                                                 : left.interval_end && !right.interval_end;
  });
  for (std::size_t i = 0; i < raw_.size(); ++i) {
    SetElement& element = raw_[i].element;
    if (raw_[i].interval_end) {
      continue;
    }
    if (!element.key_end) {
      const auto next = std::find_if(raw_.begin() + static_cast<std::ptrdiff_t>(i) + 1, raw_.end(),
                                     [&](const RawElement& later) { return later.element.key > element.key; });
      Value end = next == raw_.end() ? Value(element.key.size(), std::byte{0xff}) : Before(next->element.key);
      if (end != element.key) {
        element.key_end = std::move(end);
      }
    }
    set_.elements.push_back(element);
  }
}

Set SetBuilder::Finish() {
  if (RangesInHalves()) {
    if (set_.contents == Contents::kComplete) {  // a half without its other half would tell a wrong range
      JoinHalves();
    }
  } else {
    for (RawElement& raw : raw_) {
      set_.elements.push_back(std::move(raw.element));
    }
    // Of ranges of several fields, which may overlap, the kernel takes the first that was put in, and lists them so
    // (nft_pipapo_lookup(), nft_pipapo_walk()).
    if (set_.field_lengths.size() < 2) {
      std::stable_sort(set_.elements.begin(), set_.elements.end(),
                       [](const SetElement& left, const SetElement& right) { return left.key < right.key; });
    }
  }
  raw_.clear();
  if (catch_all_) {
    set_.elements.push_back(std::move(*catch_all_));
  }
  return std::move(set_);
}

}  // namespace finwait::firewall::read
