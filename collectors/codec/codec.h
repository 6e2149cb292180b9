#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/codec/fields.h"
#include "collectors/codec/shared_objects.h"

/// Values as bytes, for the other process of the same program on the same machine: the byte order is the machine's, and
/// there are no versions. Whoever decodes does not trust. Refused are: a count that the bytes left cannot hold, a flag
/// that is neither 0 nor 1, a number that no enumerator has, an alternative that a variant does not have, a pointer to
/// nothing, a struct whose own `IsValid()` says no, and what would take more memory or a deeper stack than sound values
/// do.
namespace finwait::codec {

/// Appends values to a buffer. Objects that are shared are written once for as long as they live (`shared`).
class Encoder {
 public:
  /// `shared` may be null: then every object is written wherever it is met.
  explicit Encoder(SentObjects* shared = nullptr) : shared_(shared) {}

  template <typename T>
  void Put(const T& value);

  void PutBytes(std::span<const std::byte> bytes) {
    // What is large becomes larger yet, and is not to be held twice each time it has to move. Room costs no memory
    // before it is written to.
    if (bytes_.size() >= kLarge && bytes_.capacity() - bytes_.size() < bytes.size()) {
      bytes_.reserve(bytes_.size() + bytes.size() + kRoom);
    }
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  /// Makes room for so many bytes more.
  void Reserve(std::size_t size) { bytes_.reserve(bytes_.size() + size); }

  const std::vector<std::byte>& Bytes() const { return bytes_; }
  std::vector<std::byte> Take() { return std::move(bytes_); }

 private:
  void PutRaw(const void* data, std::size_t size) { PutBytes({static_cast<const std::byte*>(data), size}); }
  void PutCount(std::size_t count) { Put(static_cast<std::uint32_t>(count)); }

  static constexpr std::size_t kLarge = std::size_t{1} << 20;
  static constexpr std::size_t kRoom = std::size_t{24} << 20;

  std::vector<std::byte> bytes_;
  SentObjects* shared_;
};

/// Takes values from bytes that somebody else wrote. The first fault is remembered, and everything after it fails too.
class Decoder {
 public:
  /// What all values of one message may take in memory: small bytes can make large values.
  static constexpr std::size_t kMostMemory = std::size_t{512} << 20;
  /// How deep structs may lie within each other.
  static constexpr unsigned kMostDepth = 24;

  /// `shared` may be null, as the encoder's; the bytes must outlive the decoder.
  explicit Decoder(std::span<const std::byte> bytes, ReceivedObjects* shared = nullptr)
      : bytes_(bytes), shared_(shared) {}

  /// False, and `value` is no value, where the bytes do not hold one.
  template <typename T>
  [[nodiscard]] bool Take(T& value);

  [[nodiscard]] bool TakeBytes(std::span<std::byte> bytes) { return TakeRaw(bytes.data(), bytes.size()); }
  /// How many bytes are left.
  std::size_t Left() const { return bytes_.size(); }
  /// Accounts for memory that a value takes beside itself. False where it is too much.
  [[nodiscard]] bool Charge(std::size_t size) {
    memory_ += size;
    return memory_ <= kMostMemory || Refuse();
  }

  /// Whether everything was sound, and nothing is left.
  bool IsAtEnd() const { return sound_ && bytes_.empty(); }

 private:
  bool Refuse() {
    sound_ = false;
    return false;
  }
  bool TakeRaw(void* data, std::size_t size) {
    if (!sound_ || size > bytes_.size()) {
      return Refuse();
    }
    std::copy_n(bytes_.data(), size, static_cast<std::byte*>(data));  // of none `data` may be null
    bytes_ = bytes_.subspan(size);
    return true;
  }
  // Each element takes at least one byte: a count beyond the bytes that are left is a lie.
  bool TakeCount(std::size_t& count) {
    std::uint32_t wire = 0;
    if (!TakeRaw(&wire, sizeof wire) || wire > bytes_.size()) {
      return Refuse();
    }
    count = wire;
    return true;
  }

  static constexpr std::size_t kNode = 48;  // of a tree, beside what it holds

  std::span<const std::byte> bytes_;
  ReceivedObjects* shared_;
  bool sound_ = true;
  std::size_t memory_ = 0;
  unsigned depth_ = 0;
};

/// How values of a type cross that are no plain struct: a specialization has `static void Put(Encoder&, const T&)` and
/// `static bool Take(Decoder&, T&)`.
template <typename T>
struct Codec;

template <typename T>
concept HasCodec = requires(Encoder& encoder, Decoder& decoder, T& value) {
  Codec<T>::Put(encoder, value);
  { Codec<T>::Take(decoder, value) } -> std::same_as<bool>;
};

namespace traits {

template <typename T>
inline constexpr bool kIsVector = false;
template <typename T>
inline constexpr bool kIsVector<std::vector<T>> = true;
template <typename T>
inline constexpr bool kIsArray = false;
template <typename T, std::size_t N>
inline constexpr bool kIsArray<std::array<T, N>> = true;
template <typename T>
inline constexpr bool kIsArray<PerFamily<T>> = true;
template <typename T>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
// A variant, or what a type that is one is derived from: its alternatives.
template <typename... T>
std::variant<T...> KindsOf(const std::variant<T...>&);
template <typename T>
concept IsVariant = requires(const T& value) {
  KindsOf(value);
};
template <typename T>
inline constexpr bool kIsMap = false;
template <typename K, typename V, typename C>
inline constexpr bool kIsMap<std::map<K, V, C>> = true;
template <typename T>
inline constexpr bool kIsSet = false;
template <typename T, typename C>
inline constexpr bool kIsSet<std::set<T, C>> = true;
template <typename T>
inline constexpr bool kIsShared = false;
template <typename T>
inline constexpr bool kIsShared<std::shared_ptr<const T>> = true;
template <typename T>
inline constexpr bool kIsDuration = false;
template <typename R, typename P>
inline constexpr bool kIsDuration<std::chrono::duration<R, P>> = true;
template <typename T>
inline constexpr bool kIsTimePoint = false;
template <typename C, typename D>
inline constexpr bool kIsTimePoint<std::chrono::time_point<C, D>> = true;
// Objects that cross once and are named by a number afterwards: those whose type says so.
template <typename T>
inline constexpr bool kCrossesOnce = false;
template <typename T>
requires requires { T::kCrossesOnce; }
inline constexpr bool kCrossesOnce<T> = T::kCrossesOnce;
// Pointers to such objects may be null.
template <typename T>
inline constexpr bool kMayBeMissing = false;
template <typename T>
requires requires { T::kMayBeMissing; }
inline constexpr bool kMayBeMissing<T> = T::kMayBeMissing;
// Whose objects are nothing but their bytes, each of which may have any value.
template <typename T>
inline constexpr bool kIsRaw = (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) || std::is_same_v<T, std::byte>;

// The alternatives of a variant are tried by their position.
template <std::size_t I = 0, typename Variant>
bool TakeAlternative(Decoder& decoder, std::size_t index, Variant& value) {
  using Kinds = decltype(KindsOf(value));
  if constexpr (I == std::variant_size_v<Kinds>) {
    return false;
  } else {
    if (index != I) {
      return TakeAlternative<I + 1>(decoder, index, value);
    }
    std::variant_alternative_t<I, Kinds> alternative{};
    if (!decoder.Take(alternative)) {
      return false;
    }
    value.template emplace<I>(std::move(alternative));
    return true;
  }
}

}  // namespace traits

template <>
struct Codec<std::monostate> {
  static void Put(Encoder&, const std::monostate&) {}
  static bool Take(Decoder&, std::monostate&) { return true; }
};

template <>
struct Codec<IpAddress> {
  static void Put(Encoder& encoder, const IpAddress& address) {
    const auto bytes = address.Bytes();
    encoder.Put(std::vector<std::byte>(bytes.begin(), bytes.end()));
  }
  static bool Take(Decoder& decoder, IpAddress& address) {
    std::vector<std::byte> bytes;
    if (!decoder.Take(bytes)) {
      return false;
    }
    const auto read = IpAddress::FromBytes(bytes);
    address = read.value_or(IpAddress());
    return read.has_value();
  }
};

template <typename T>
void Encoder::Put(const T& value) {
  using namespace traits;  // NOLINT(google-build-using-namespace): the questions above about T
  if constexpr (HasCodec<T>) {
    Codec<T>::Put(*this, value);
  } else if constexpr (requires { value.Encode(*this); }) {
    value.Encode(*this);
  } else if constexpr (kIsRaw<T>) {
    PutRaw(&value, sizeof value);
  } else if constexpr (std::is_same_v<T, bool> || std::is_enum_v<T>) {
    Put(static_cast<std::uint8_t>(value));
  } else if constexpr (kIsDuration<T>) {
    Put(value.count());
  } else if constexpr (kIsTimePoint<T>) {
    Put(value.time_since_epoch());
  } else if constexpr (std::is_same_v<T, std::string>) {
    PutCount(value.size());
    PutRaw(value.data(), value.size());
  } else if constexpr (kIsVector<T>) {
    PutCount(value.size());
    if constexpr (kIsRaw<typename T::value_type>) {
      PutRaw(value.data(), value.size() * sizeof(typename T::value_type));
    } else {
      for (const auto& element : value) {
        Put(element);
      }
    }
  } else if constexpr (kIsArray<T>) {
    for (const auto& element : value) {
      Put(element);
    }
  } else if constexpr (kIsSet<T>) {
    PutCount(value.size());
    for (const auto& element : value) {
      Put(element);
    }
  } else if constexpr (kIsMap<T>) {
    PutCount(value.size());
    for (const auto& [key, element] : value) {
      Put(key);
      Put(element);
    }
  } else if constexpr (kIsOptional<T>) {
    Put(value.has_value());
    if (value) {
      Put(*value);
    }
  } else if constexpr (IsVariant<T>) {
    static_assert(std::variant_size_v<decltype(KindsOf(value))> < 256);
    Put(static_cast<std::uint8_t>(value.index()));
    std::visit([this](const auto& alternative) { this->Put(alternative); }, value);
  } else if constexpr (kIsShared<T>) {
    using Object = std::remove_const_t<typename T::element_type>;
    if (value == nullptr) {
      Put(SentObjects::kNull);
    } else if (!kCrossesOnce<Object> || shared_ == nullptr) {
      Put(SentObjects::kHere);
      Put(*value);
    } else {
      const auto [number, is_new] = shared_->NumberOf(value);
      Put(number);
      if (is_new) {
        Put(*value);
      }
    }
  } else {
    std::apply([this](const auto&... field) { (this->Put(field), ...); }, FieldsOf(value));
  }
}

template <typename T>
bool Decoder::Take(T& value) {
  using namespace traits;  // NOLINT(google-build-using-namespace): the questions above about T
  if constexpr (HasCodec<T>) {
    return (sound_ && Codec<T>::Take(*this, value)) || Refuse();
  } else if constexpr (requires { value.Decode(*this); }) {
    return (sound_ && value.Decode(*this)) || Refuse();
  } else if constexpr (kIsRaw<T>) {
    return TakeRaw(&value, sizeof value);
  } else if constexpr (std::is_same_v<T, bool>) {
    std::uint8_t wire = 0;
    if (!Take(wire) || wire > 1) {
      return Refuse();
    }
    value = wire == 1;
    return true;
  } else if constexpr (std::is_enum_v<T>) {
    std::uint8_t wire = 0;
    if (!Take(wire) || !IsEnumerator<T>(wire)) {
      return Refuse();
    }
    value = static_cast<T>(wire);
    return true;
  } else if constexpr (kIsDuration<T>) {
    typename T::rep count{};
    if (!Take(count)) {
      return false;
    }
    value = T(count);
    return true;
  } else if constexpr (kIsTimePoint<T>) {
    typename T::duration since{};
    if (!Take(since)) {
      return false;
    }
    value = T(since);
    return true;
  } else if constexpr (std::is_same_v<T, std::string>) {
    std::size_t count = 0;
    if (!TakeCount(count)) {
      return false;
    }
    if (!Charge(count)) {
      return false;
    }
    value.resize(count);
    return TakeRaw(value.data(), count);
  } else if constexpr (kIsVector<T>) {
    std::size_t count = 0;
    if (!TakeCount(count)) {
      return false;
    }
    using Element = typename T::value_type;
    value.clear();
    if constexpr (kIsRaw<Element>) {
      if (count * sizeof(Element) > bytes_.size() || !Charge(count * sizeof(Element))) {
        return Refuse();
      }
      value.resize(count);
      return TakeRaw(value.data(), count * sizeof(Element));
    } else {
      for (std::size_t i = 0; i < count; ++i) {
        if (!Charge(sizeof(Element)) || !Take(value.emplace_back())) {
          return false;
        }
      }
      return true;
    }
  } else if constexpr (kIsArray<T>) {
    for (auto& element : value) {
      if (!Take(element)) {
        return false;
      }
    }
    return true;
  } else if constexpr (kIsSet<T>) {
    std::size_t count = 0;
    if (!TakeCount(count)) {
      return false;
    }
    value.clear();
    for (std::size_t i = 0; i < count; ++i) {
      typename T::value_type element{};
      if (!Charge(kNode + sizeof element) || !Take(element) || !value.insert(std::move(element)).second) {
        return Refuse();
      }
    }
    return true;
  } else if constexpr (kIsMap<T>) {
    std::size_t count = 0;
    if (!TakeCount(count)) {
      return false;
    }
    value.clear();
    for (std::size_t i = 0; i < count; ++i) {
      typename T::key_type key{};
      typename T::mapped_type element{};
      if (!Charge(kNode + sizeof key + sizeof element) || !Take(key) || !Take(element) ||
          !value.emplace(std::move(key), std::move(element)).second) {
        return Refuse();
      }
    }
    return true;
  } else if constexpr (kIsOptional<T>) {
    bool present = false;
    if (!Take(present)) {
      return false;
    }
    if (!present) {
      value.reset();
      return true;
    }
    return Take(value.emplace());
  } else if constexpr (IsVariant<T>) {
    std::uint8_t index = 0;
    return (Take(index) && TakeAlternative(*this, index, value)) || Refuse();
  } else if constexpr (kIsShared<T>) {
    using Object = std::remove_const_t<typename T::element_type>;
    SentObjects::Number number = 0;
    if (!Take(number)) {
      return false;
    }
    if (number == SentObjects::kNull) {
      value = nullptr;
      return kMayBeMissing<Object> || Refuse();
    }
    if (number != SentObjects::kHere) {
      if (!kCrossesOnce<Object> || shared_ == nullptr) {
        return Refuse();
      }
      value = shared_->Find<Object>(number);
      if (value != nullptr) {
        return true;
      }
    }
    const std::size_t before = memory_;
    auto object = std::make_shared<Object>();
    if (!Charge(sizeof(Object)) || !Take(*object)) {
      return false;
    }
    if (number != SentObjects::kHere && !shared_->Keep<Object>(number, object, memory_ - before)) {
      return Refuse();
    }
    value = std::move(object);
    return true;
  } else {
    if (++depth_ > kMostDepth ||
        !std::apply([this](auto&... field) { return (this->Take(field) && ...); }, FieldsOf(value))) {
      return Refuse();
    }
    --depth_;
    if constexpr (requires { value.IsValid(); }) {
      return value.IsValid() || Refuse();
    }
    return true;
  }
}

}  // namespace finwait::codec
