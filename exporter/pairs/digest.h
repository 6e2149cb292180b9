#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "collectors/base/ip.h"
#include "exporter/pairs/key.h"

struct evp_mac_ctx_st;

namespace finwait::pairs {

/// What stands for one end of a connection where its addresses must not be told: the first 8 bytes of HMAC-SHA-256 of
/// that end and the other one, in this order. Both hosts of a connection come to the same two digests.
using Digest = std::uint64_t;

/// 16 hexadecimal digits.
std::string DigestText(Digest digest);
/// The inverse; nothing for anything else.
std::optional<Digest> ParseDigest(std::string_view text);

/// Makes digests with one key. Not thread-safe.
class Digester {
 public:
  /// Throws where the cryptographic library cannot.
  explicit Digester(const Key& key);

  /// Of the socket at `end`, whose peer is `other`. Addresses of the loopback device are every host's own: their
  /// digests are of this object alone, and no other host has the like.
  Digest Of(const Endpoint& end, const Endpoint& other);
  /// Of nothing but the key: who has the same one has the same key.
  Digest OfKey();

 private:
  Digest Sign(const unsigned char* message, std::size_t size);

  struct Deleter {
    void operator()(evp_mac_ctx_st* context) const;
  };
  std::unique_ptr<evp_mac_ctx_st, Deleter> context_;
  std::array<std::byte, 16> own_ = {};  // random
};

}  // namespace finwait::pairs
