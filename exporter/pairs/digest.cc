#include "exporter/pairs/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "collectors/base/text.h"

namespace finwait::pairs {
namespace {

// Another version of what is signed begins with another text.
constexpr std::string_view kPurpose = "finwait pairs 1\n";
constexpr std::size_t kDigestBytes = sizeof(Digest);
constexpr int kHexDigits = 2 * kDigestBytes;

struct MacDeleter {
  void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
};

unsigned char* Put(const Endpoint& end, unsigned char* to) {
  const auto bytes = end.address.Bytes();
  *to++ = static_cast<unsigned char>(bytes.size());
  for (const std::byte byte : bytes) {
    *to++ = static_cast<unsigned char>(byte);
  }
  *to++ = static_cast<unsigned char>(end.port >> 8);
  *to++ = static_cast<unsigned char>(end.port & 0xff);
  return to;
}

}  // namespace

std::string DigestText(Digest digest) { return Hex(digest, kHexDigits); }

std::optional<Digest> ParseDigest(std::string_view text) {
  if (text.size() != kHexDigits) {
    return std::nullopt;
  }
  Digest digest = 0;
  for (const char c : text) {
    const int value = HexDigitValue(c);
    if (value < 0) {
      return std::nullopt;
    }
    digest = digest << 4 | static_cast<unsigned>(value);
  }
  return digest;
}

void Digester::Deleter::operator()(evp_mac_ctx_st* context) const { EVP_MAC_CTX_free(context); }

Digester::Digester(const Key& key) {
  const std::unique_ptr<EVP_MAC, MacDeleter> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  if (mac != nullptr) {
    context_.reset(EVP_MAC_CTX_new(mac.get()));
  }
  char hash[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash, 0),
                                   OSSL_PARAM_construct_end()};
  if (context_ == nullptr ||
      EVP_MAC_init(context_.get(), reinterpret_cast<const unsigned char*>(key.Secret().data()), key.Secret().size(),
                   parameters) != 1 ||
      RAND_bytes(reinterpret_cast<unsigned char*>(own_.data()), static_cast<int>(own_.size())) != 1) {
    throw std::runtime_error("the cryptographic library cannot make an HMAC");
  }
}

Digest Digester::Of(const Endpoint& end, const Endpoint& other) {
  std::array<unsigned char, 80> message = {};
  unsigned char* at = std::copy(kPurpose.begin(), kPurpose.end(), message.data());
  at = Put(other, Put(end, at));
  if (end.address.IsLoopback() || other.address.IsLoopback()) {
    for (const std::byte byte : own_) {
      *at++ = static_cast<unsigned char>(byte);
    }
  }
  return Sign(message.data(), static_cast<std::size_t>(at - message.data()));
}

Digest Digester::OfKey() {
  constexpr std::string_view kNoEnd = "finwait pairs key\n";
  return Sign(reinterpret_cast<const unsigned char*>(kNoEnd.data()), kNoEnd.size());
}

Digest Digester::Sign(const unsigned char* message, std::size_t size) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> code = {};
  std::size_t code_size = 0;
  // Without a key it begins again with the one before.
  if (EVP_MAC_init(context_.get(), nullptr, 0, nullptr) != 1 || EVP_MAC_update(context_.get(), message, size) != 1 ||
      EVP_MAC_final(context_.get(), code.data(), &code_size, code.size()) != 1 || code_size < kDigestBytes) {
    throw std::runtime_error("the cryptographic library cannot make an HMAC");
  }
  Digest digest = 0;
  for (std::size_t i = 0; i < kDigestBytes; ++i) {
    digest = digest << 8 | code[i];
  }
  return digest;
}

}  // namespace finwait::pairs
