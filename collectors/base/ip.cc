#include "collectors/base/ip.h"

#include <arpa/inet.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "collectors/base/text.h"

namespace finwait {
namespace {

constexpr std::array<std::byte, 12> kMappedPrefix = {std::byte{0}, std::byte{0}, std::byte{0},    std::byte{0},
                                                     std::byte{0}, std::byte{0}, std::byte{0},    std::byte{0},
                                                     std::byte{0}, std::byte{0}, std::byte{0xff}, std::byte{0xff}};

}  // namespace

std::optional<IpAddress> IpAddress::FromBytes(std::span<const std::byte> bytes) {
  IpAddress address;
  if (bytes.size() == 16 && std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin())) {
    bytes = bytes.subspan(kMappedPrefix.size());
  }
  if (bytes.size() != 4 && bytes.size() != 16) {
    return std::nullopt;
  }
  address.family_ = bytes.size() == 4 ? IpFamily::kIpv4 : IpFamily::kIpv6;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

std::optional<IpAddress> IpAddress::Parse(const std::string& text) {
  std::array<std::byte, 16> bytes;
  if (::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) {
    return FromBytes(std::span(bytes).first(4));
  }
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) {
    return FromBytes(bytes);
  }
  return std::nullopt;
}

bool IpAddress::IsLoopback() const {
  if (family_ == IpFamily::kIpv4) {
    return bytes_[0] == std::byte{127};
  }
  return std::all_of(bytes_.begin(), bytes_.end() - 1, [](std::byte byte) { return byte == std::byte{0}; }) &&
         bytes_[15] == std::byte{1};
}

std::string IpAddress::Text() const {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(family_ == IpFamily::kIpv4 ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

unsigned IpAddress::CommonPrefix(const IpAddress& other) const {
  unsigned bits = 0;
  for (std::size_t i = 0; family_ == other.family_ && i < Bytes().size(); ++i) {
    const auto difference = std::to_integer<std::uint8_t>(bytes_[i] ^ other.bytes_[i]);
    bits += static_cast<unsigned>(std::countl_zero(difference));
    if (difference != 0) {
      break;
    }
  }
  return bits;
}

std::string Endpoint::Text() const {
  const std::string host = address.Text();
  return (address.Family() == IpFamily::kIpv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::optional<Endpoint> Endpoint::Parse(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) {
    return std::nullopt;
  }
  std::string host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  }
  Endpoint endpoint;
  const auto port = ParseNumber<std::uint16_t>(std::string_view(text).substr(colon + 1));
  const auto address = IpAddress::Parse(host);
  if (!address || !port || (host.find(':') != std::string::npos) != bracketed) {
    return std::nullopt;
  }
  endpoint.address = *address;
  endpoint.port = *port;
  return endpoint;
}

}  // namespace finwait
