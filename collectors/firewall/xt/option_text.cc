#include "collectors/firewall/xt/option_text.h"

#include "collectors/firewall/model/value_text.h"

namespace finwait::firewall::xt {

std::string Quoted(std::string_view text) {
  constexpr std::string_view kPlain = "_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos) {
    return std::string(text);
  }
  std::string quoted = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\' || character == '\'') {
      quoted += '\\';
    }
    quoted += character;
  }
  return quoted + "\"";
}

std::string PortRangeText(std::uint16_t first, std::uint16_t last) {
  return std::to_string(first) + (first == last ? "" : ":" + std::to_string(last));
}

std::string PortOption(const char* option, const std::uint16_t (&range)[2], bool inverted) {
  if (range[0] == 0 && range[1] == 0xffff && !inverted) {
    return {};
  }
  return Inversion(inverted) + option + PortRangeText(range[0], range[1]);
}

std::string MarkOption(bool inverted, std::uint32_t mark, std::uint32_t mask) {
  return Inversion(inverted) + " --mark " + HexText(mark) + (mask == 0xffffffff ? "" : "/" + HexText(mask));
}

std::string TcpFlagsText(std::uint32_t flags) {
  static constexpr NamedBit kFlags[] = {{0x01, "FIN"}, {0x02, "SYN"}, {0x04, "RST"},
                                        {0x08, "PSH"}, {0x10, "ACK"}, {0x20, "URG"}};
  return flags == 0 ? "NONE" : BitsText(flags, kFlags, ",");
}

}  // namespace finwait::firewall::xt
