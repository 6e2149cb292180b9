#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace finwait {

/// The IP version of packets on the wire. A socket of AF_INET6 with IPv4-mapped addresses sends IPv4 packets, has IPv4
/// conntrack entries, meets IPv4 rules, and so counts as kIpv4 everywhere in this program.
enum class IpFamily : std::uint8_t { kIpv4 = 0, kIpv6 = 1 };
inline constexpr IpFamily kIpFamilies[] = {IpFamily::kIpv4, IpFamily::kIpv6};

/// The label value: "ipv4" or "ipv6".
constexpr std::string_view Name(IpFamily family) { return family == IpFamily::kIpv4 ? "ipv4" : "ipv6"; }

/// A value of each IP family, IPv4's first.
template <typename T>
struct PerFamily : std::array<T, std::size(kIpFamilies)> {
  using std::array<T, std::size(kIpFamilies)>::operator[];
  constexpr T& operator[](IpFamily family) { return (*this)[static_cast<std::size_t>(family)]; }
  constexpr const T& operator[](IpFamily family) const { return (*this)[static_cast<std::size_t>(family)]; }
};

/// An IPv4 or IPv6 address in network byte order.
class IpAddress {
 public:
  IpAddress() = default;
  /// From 4 or 16 bytes of network order; other sizes give nothing. IPv4-mapped IPv6 (::ffff:0:0/96) becomes IPv4.
  static std::optional<IpAddress> FromBytes(std::span<const std::byte> bytes);
  /// From text as inet_pton reads it.
  static std::optional<IpAddress> Parse(const std::string& text);

  IpFamily Family() const { return family_; }
  /// 4 or 16 bytes.
  std::span<const std::byte> Bytes() const { return std::span(bytes_).first(family_ == IpFamily::kIpv4 ? 4U : 16U); }
  /// 127.0.0.0/8 or ::1.
  bool IsLoopback() const;
  std::string Text() const;
  /// How many leading bits both have in common, up to 32 or 128; 0 for addresses of different families.
  unsigned CommonPrefix(const IpAddress& other) const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  std::array<std::byte, 16> bytes_ = {};  // unused ones are 0, so that comparison works on all
  IpFamily family_ = IpFamily::kIpv4;
};

/// An address and a TCP port.
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;  ///< host byte order

  /// "192.0.2.1:443" or "[2001:db8::1]:443".
  std::string Text() const;
  /// The inverse of Text(); nothing when it is not of that form.
  static std::optional<Endpoint> Parse(const std::string& text);

  auto operator<=>(const Endpoint&) const = default;
};

}  // namespace finwait
