#include "collectors/firewall/print/nft_set_text.h"

#include <algorithm>

namespace finwait::firewall::print {
namespace {

constexpr std::size_t kMaxElements = 64;

std::size_t Padded(std::size_t length) { return (length + 3) / 4 * 4; }

// The bytes of `value` that belong to each of the fields; the widths are those of the concatenation, or equal shares of
// four bytes and more where the set does not tell them.
std::vector<kernel::netlink::Bytes> Split(const Set& set, kernel::netlink::Bytes value, std::size_t fields,
                                          const std::vector<std::size_t>& widths) {
  std::vector<kernel::netlink::Bytes> parts;
  std::size_t offset = 0;
  for (std::size_t i = 0; i < fields; ++i) {
    const std::size_t width = i < set.field_lengths.size() ? set.field_lengths[i]
                              : fields == 1                ? value.size()
                                                           : widths[i];
    const std::size_t start = std::min(offset, value.size());
    parts.push_back(value.subspan(start, std::min(width, value.size() - start)));
    offset += Padded(width);
  }
  return parts;
}

std::size_t NaturalWidth(const Field& field) {
  switch (field.format) {
    case ValueFormat::kBigEndian:
      return 2;  // ports, nearly always
    case ValueFormat::kProtocol:
    case ValueFormat::kNetworkFamily:
    case ValueFormat::kIcmpType:
    case ValueFormat::kIcmpv6Type:
      return 1;
    case ValueFormat::kInterfaceName:
      return 16;
    case ValueFormat::kLinkAddress:
      return 6;
    case ValueFormat::kIpv6Address:
      return 16;
    default:
      return 4;
  }
}

std::string KeyText(const Set& set, const SetElement& element, const std::vector<Field>& fields) {
  if (element.catch_all) {
    return "*";
  }
  std::vector<std::size_t> widths;
  widths.reserve(fields.size());
  for (const Field& field : fields) {
    widths.push_back(NaturalWidth(field));
  }
  const auto from = Split(set, element.key, fields.size(), widths);
  const auto to = Split(set, element.key_end ? *element.key_end : element.key, fields.size(), widths);
  std::string text;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    text += i == 0 ? "" : " . ";
    text += std::equal(from[i].begin(), from[i].end(), to[i].begin(), to[i].end())
                ? ValueText(fields[i], from[i])
                : RangeText(fields[i], from[i], to[i]);
  }
  return text;
}

std::string ElementText(const Set& set, const SetElement& element, const std::vector<Field>& fields) {
  std::string text = KeyText(set, element, fields);
  if (const auto* verdict = std::get_if<Verdict>(&element.data)) {
    text += " : " + NftVerdictText(*verdict);
  } else if (std::holds_alternative<Value>(element.data) || std::holds_alternative<std::string>(element.data)) {
    text += " : [...]";
  }
  return text;
}

// At most kMaxElements, as nft orders them: by their numbers. (It orders concatenations by another rule of its own.)
std::vector<const SetElement*> InPrintedOrder(const Set& set, const std::vector<Field>& fields) {
  std::vector<const SetElement*> elements;
  for (const SetElement& element : set.elements) {
    elements.push_back(&element);
  }
  if (fields.size() == 1 && !fields.front().turned && IsHostOrder(fields.front().format)) {
    std::stable_sort(elements.begin(), elements.end(), [](const SetElement* left, const SetElement* right) {
      return left->catch_all != right->catch_all ? right->catch_all
                                                 : std::lexicographical_compare(left->key.rbegin(), left->key.rend(),
                                                                                right->key.rbegin(), right->key.rend());
    });
  }
  elements.resize(std::min(elements.size(), kMaxElements));
  return elements;
}

}  // namespace

std::string NftVerdictText(const Verdict& verdict) {
  switch (verdict.kind) {
    case Verdict::Kind::kAccept:
      return "accept";
    case Verdict::Kind::kDrop:
      return "drop";
    case Verdict::Kind::kStolen:
      return "stolen";
    case Verdict::Kind::kQueue:
      return "queue";
    case Verdict::Kind::kContinue:
      return "continue";
    case Verdict::Kind::kBreak:
      return "break";
    case Verdict::Kind::kJump:
      return "jump " + verdict.chain;
    case Verdict::Kind::kGoto:
      return "goto " + verdict.chain;
    case Verdict::Kind::kReturn:
      return "return";
  }
  return "continue";
}

std::string NftSetText(const Set* set, const std::string& name, const std::vector<Field>& fields) {
  if (set == nullptr || !set->anonymous) {
    return "@" + name;
  }
  std::string text;
  for (const SetElement* element : InPrintedOrder(*set, fields)) {
    text += (text.empty() ? "" : ", ") + ElementText(*set, *element, fields);
  }
  const bool whole = set->contents == Contents::kComplete && set->elements.size() <= kMaxElements;
  return "{ " + text + (whole ? " }" : ", ... }");
}

std::string NftDroppedKeysText(const Set* set, const std::vector<Field>& fields) {
  if (set == nullptr || !set->anonymous || set->contents != Contents::kComplete ||
      set->elements.size() > kMaxElements) {
    return {};
  }
  std::string text;
  for (const SetElement* element : InPrintedOrder(*set, fields)) {
    const auto* verdict = std::get_if<Verdict>(&element->data);
    if (verdict == nullptr || verdict->kind != Verdict::Kind::kDrop) {
      continue;
    }
    if (element->catch_all) {
      return {};  // it is all the others, too
    }
    text += (text.empty() ? "" : ", ") + KeyText(*set, *element, fields);
  }
  return text.empty() ? text : "{ " + text + " }";
}

}  // namespace finwait::firewall::print
