#include "tests/recording/message_text.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>
#include <utility>

#include "collectors/kernel/netlink/request.h"

namespace finwait::recording {
namespace {

using kernel::netlink::Attribute;

constexpr std::string_view kHexDigits = "0123456789abcdef";
// In the order of nf_tables_msg_types.
constexpr std::array<std::string_view, 21> kNftTypes = {
    "newtable",   "gettable", "deltable", "newchain", "getchain", "delchain",   "newrule",
    "getrule",    "delrule",  "newset",   "getset",   "delset",   "newsetelem", "getsetelem",
    "delsetelem", "newgen",   "getgen",   "trace",    "newobj",   "getobj",     "delobj"};

// Shorter runs of zeros are written as they are.
constexpr std::size_t kShortestRun = 4;

[[noreturn]] void Refuse(const std::string& what) { throw std::runtime_error("a recording's line: " + what); }

std::string Hex16(std::uint16_t number) {
  std::string text;
  for (int shift = 12; shift >= 0; shift -= 4) {
    text += kHexDigits[(number >> shift) & 0xFU];
  }
  return text;
}

std::string TypeText(std::uint16_t type) {
  const auto nft = static_cast<std::uint16_t>(type - kernel::netlink::NetfilterType(NFNL_SUBSYS_NFTABLES, 0));
  return nft < kNftTypes.size() ? std::string(kNftTypes[nft]) : Hex16(type);
}

std::uint16_t ParseHex16(std::string_view text) {
  const ByteVector bytes = ParseHex(text);
  if (bytes.size() != 2) {
    Refuse("not a number of 16 bits: " + std::string(text));
  }
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[0]) << 8 | std::to_integer<unsigned>(bytes[1]));
}

std::uint16_t ParseType(std::string_view text) {
  const auto* found = std::find(kNftTypes.begin(), kNftTypes.end(), text);
  if (found == kNftTypes.end()) {
    return ParseHex16(text);
  }
  return kernel::netlink::NetfilterType(NFNL_SUBSYS_NFTABLES, static_cast<std::uint8_t>(found - kNftTypes.begin()));
}

void AppendAttribute(std::uint16_t type, Bytes value, ByteVector& bytes) {
  const nlattr header = {static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), type};
  const auto* start = reinterpret_cast<const std::byte*>(&header);
  bytes.insert(bytes.end(), start, start + sizeof header);
  bytes.insert(bytes.end(), value.begin(), value.end());
  bytes.resize(NLA_ALIGN(bytes.size()));
}

// The attributes of `bytes`, if they are nothing but attributes, written the way that AppendAttribute writes them.
struct RawAttribute {
  std::uint16_t type;  // with its flags
  Bytes value;
};
std::vector<RawAttribute> AttributesOf(Bytes bytes) {
  std::vector<RawAttribute> attributes;
  ByteVector again;
  std::size_t offset = 0;
  while (offset < bytes.size()) {
    const auto header = Attribute(0, bytes.subspan(offset)).Read<nlattr>();
    if (!header || header->nla_len < sizeof(nlattr) || header->nla_len > bytes.size() - offset) {
      return {};
    }
    attributes.push_back({header->nla_type, bytes.subspan(offset + sizeof(nlattr), header->nla_len - sizeof(nlattr))});
    AppendAttribute(attributes.back().type, attributes.back().value, again);
    offset = std::min(bytes.size(), offset + NLA_ALIGN(header->nla_len));
  }
  return std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()) ? attributes : std::vector<RawAttribute>();
}

// Text with one NUL behind it, as netlink sends names.
bool IsText(Bytes bytes) {
  return bytes.size() >= 2 && bytes.back() == std::byte{0} &&
         std::all_of(bytes.begin(), bytes.end() - 1, [](std::byte byte) {
           const auto letter = std::to_integer<unsigned char>(byte);
           return letter >= 0x20 && letter < 0x7F && letter != '"';
         });
}

std::string ValueText(Bytes bytes);

std::string AttributesText(const std::vector<RawAttribute>& attributes) {
  std::string text;
  for (const RawAttribute& attribute : attributes) {
    text += (text.empty() ? "" : " ") + std::to_string(attribute.type) + "=" + ValueText(attribute.value);
  }
  return text;
}

std::string ValueText(Bytes bytes) {
  if (IsText(bytes)) {
    return '"' + std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size() - 1) + '"';
  }
  const auto nested = AttributesOf(bytes);
  return nested.empty() ? HexOf(bytes) : "{" + AttributesText(nested) + "}";
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  bool AtEnd() const { return text_.empty(); }

  std::string_view Word() {
    const std::size_t end = std::min(text_.find(' '), text_.size());
    const std::string_view word = text_.substr(0, end);
    text_.remove_prefix(std::min(end + 1, text_.size()));
    return word;
  }

  // Attributes up to the end of the line, or to the brace that closes their nest.
  ByteVector Attributes() {
    ByteVector bytes;
    while (!text_.empty() && text_.front() != '}') {
      if (text_.front() == ' ') {
        text_.remove_prefix(1);
        continue;
      }
      unsigned type = 0;
      const std::string_view start = text_;
      while (!text_.empty() && std::isdigit(static_cast<unsigned char>(text_.front())) != 0) {
        type = type * 10 + static_cast<unsigned>(text_.front() - '0');
        text_.remove_prefix(1);
      }
      if (text_.data() == start.data() || type > 0xFFFF || !Takes('=')) {
        Refuse("an attribute without its type");
      }
      AppendAttribute(static_cast<std::uint16_t>(type), Value(), bytes);
    }
    return bytes;
  }

 private:
  bool Takes(char letter) {
    const bool there = !text_.empty() && text_.front() == letter;
    text_.remove_prefix(there ? 1 : 0);
    return there;
  }

  ByteVector Value() {
    if (Takes('"')) {
      const std::size_t end = text_.find('"');
      if (end == std::string_view::npos) {
        Refuse("text without its end");
      }
      const auto* start = reinterpret_cast<const std::byte*>(text_.data());
      ByteVector bytes(start, start + end);
      bytes.push_back(std::byte{0});
      text_.remove_prefix(end + 1);
      return bytes;
    }
    if (Takes('{')) {
      ByteVector bytes = Attributes();
      if (!Takes('}')) {
        Refuse("a nest without its end");
      }
      return bytes;
    }
    const std::size_t end = std::min(text_.find_first_of(" }"), text_.size());
    ByteVector bytes = ParseHex(text_.substr(0, end));
    text_.remove_prefix(end);
    return bytes;
  }

  std::string_view text_;
};

}  // namespace

std::string HexOf(Bytes bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size();) {
    std::size_t zeros = 0;
    while (i + zeros < bytes.size() && bytes[i + zeros] == std::byte{0}) {
      ++zeros;
    }
    if (zeros >= kShortestRun) {
      text += "z" + std::to_string(zeros) + ".";
      i += zeros;
      continue;
    }
    const auto value = std::to_integer<unsigned>(bytes[i]);
    text += kHexDigits[value >> 4];
    text += kHexDigits[value & 0xFU];
    ++i;
  }
  return text;
}

ByteVector ParseHex(std::string_view hex) {
  ByteVector bytes;
  for (std::size_t i = 0; i < hex.size();) {
    if (hex[i] == 'z') {
      const std::size_t end = std::min(hex.find('.', i), hex.size());
      bytes.resize(bytes.size() + std::stoul(std::string(hex.substr(i + 1, end - i - 1))));
      i = end + 1;
      continue;
    }
    const std::size_t high = kHexDigits.find(hex[i]);
    const std::size_t low = i + 1 < hex.size() ? kHexDigits.find(hex[i + 1]) : std::string_view::npos;
    if (high == std::string_view::npos || low == std::string_view::npos) {
      Refuse("not hex: " + std::string(hex.substr(0, 80)));
    }
    bytes.push_back(static_cast<std::byte>(high << 4 | low));
    i += 2;
  }
  return bytes;
}

std::string TextOf(const Message& message) {
  std::string text = TypeText(message.type) + " " + Hex16(message.flags) + " ";
  // nfnetlink's messages start with an nfgenmsg; netlink's own (NLMSG_DONE, NLMSG_ERROR) are their bytes.
  const Bytes payload = message.payload;
  if (message.type >= NLMSG_MIN_TYPE && payload.size() >= sizeof(nfgenmsg)) {
    const Bytes behind = payload.subspan(sizeof(nfgenmsg));
    const auto attributes = AttributesOf(behind);
    if (behind.empty() || !attributes.empty()) {
      return text + HexOf(payload.first(sizeof(nfgenmsg))) + (behind.empty() ? "" : " ") + AttributesText(attributes);
    }
  }
  return text + HexOf(payload);
}

Message ParseMessage(std::string_view line) {
  Parser parser(line);
  Message message;
  message.type = ParseType(parser.Word());
  message.flags = ParseHex16(parser.Word());
  message.payload = ParseHex(parser.Word());
  const ByteVector attributes = parser.Attributes();
  if (!parser.AtEnd()) {
    Refuse("more braces close than open");
  }
  message.payload.insert(message.payload.end(), attributes.begin(), attributes.end());
  return message;
}

}  // namespace finwait::recording
