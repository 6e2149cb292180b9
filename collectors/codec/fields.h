#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

/// The fields of a plain struct and the enumerators of an enumeration, found by the compiler: what crosses the channel
/// is passive data, and nobody writes its fields down a second time.
namespace finwait::codec {

namespace fields {

// Stands for any field when the compiler tries with how many of them a struct can be made.
struct Anything {
  template <typename T>
  operator T() const noexcept;  // NOLINT(google-explicit-constructor): that is its purpose
};

inline constexpr std::size_t kMostFields = 28;

template <typename T, std::size_t... I>
constexpr bool IsMadeOf(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), Anything{})...}; };
}

template <typename T, std::size_t N>
constexpr std::size_t CountUpTo() {
  if constexpr (IsMadeOf<T>(std::make_index_sequence<N>())) {
    return N;
  } else {
    return CountUpTo<T, N - 1>();
  }
}

template <auto kValue>
constexpr bool IsEnumerator() {
  // "... kValue = Colour::kRed]", or "... kValue = (Colour)7]" where no enumerator has that value.
  constexpr std::string_view kName = __PRETTY_FUNCTION__;
  return kName[kName.find("kValue = ") + std::string_view("kValue = ").size()] != '(';
}

template <typename E, std::size_t... I>
constexpr std::uint64_t EnumeratorBits(std::index_sequence<I...>) {
  return ((IsEnumerator<static_cast<E>(I)>() ? std::uint64_t{1} << I : 0) | ...);
}

}  // namespace fields

/// The number of fields of T: of an aggregate, found by the compiler; of any other type, what it says in `kFields`. One
/// that is wrong does not compile.
template <typename T>
constexpr std::size_t CountFields() {
  if constexpr (requires { T::kFields; }) {
    return T::kFields;
  } else {
    static_assert(std::is_aggregate_v<T>, "a type that crosses is an aggregate, has `kFields`, or a Codec of its own");
    return fields::CountUpTo<T, fields::kMostFields + 1>();
  }
}
template <typename T>
inline constexpr std::size_t kFieldCount = CountFields<T>();

/// Whether one of E's enumerators has this value. They must be below 64.
template <typename E>
constexpr bool IsEnumerator(std::uint64_t value) {
  constexpr std::uint64_t kBits = fields::EnumeratorBits<E>(std::make_index_sequence<64>());
  static_assert(kBits != 0, "an enumeration without enumerators below 64");
  return value < 64 && (kBits >> value & 1) != 0;
}

/// References to all fields, in their order.
template <typename T>
constexpr auto FieldsOf(T& value) {
  constexpr std::size_t kCount = kFieldCount<std::remove_const_t<T>>;
  static_assert(kCount <= fields::kMostFields, "more fields than FieldsOf has lines for");
  if constexpr (kCount == 0) {
    return std::tie();
// clang-format off
#define FINWAIT_FIELDS(count, ...)     \
  } else if constexpr (kCount == count) { \
    auto& [__VA_ARGS__] = value;          \
    return std::tie(__VA_ARGS__);
  FINWAIT_FIELDS(1, a)
  FINWAIT_FIELDS(2, a, b)
  FINWAIT_FIELDS(3, a, b, c)
  FINWAIT_FIELDS(4, a, b, c, d)
  FINWAIT_FIELDS(5, a, b, c, d, e)
  FINWAIT_FIELDS(6, a, b, c, d, e, f)
  FINWAIT_FIELDS(7, a, b, c, d, e, f, g)
  FINWAIT_FIELDS(8, a, b, c, d, e, f, g, h)
  FINWAIT_FIELDS(9, a, b, c, d, e, f, g, h, i)
  FINWAIT_FIELDS(10, a, b, c, d, e, f, g, h, i, j)
  FINWAIT_FIELDS(11, a, b, c, d, e, f, g, h, i, j, k)
  FINWAIT_FIELDS(12, a, b, c, d, e, f, g, h, i, j, k, l)
  FINWAIT_FIELDS(13, a, b, c, d, e, f, g, h, i, j, k, l, m)
  FINWAIT_FIELDS(14, a, b, c, d, e, f, g, h, i, j, k, l, m, n)
  FINWAIT_FIELDS(15, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o)
  FINWAIT_FIELDS(16, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)
  FINWAIT_FIELDS(17, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q)
  FINWAIT_FIELDS(18, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r)
  FINWAIT_FIELDS(19, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s)
  FINWAIT_FIELDS(20, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t)
  FINWAIT_FIELDS(21, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u)
  FINWAIT_FIELDS(22, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v)
  FINWAIT_FIELDS(23, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w)
  FINWAIT_FIELDS(24, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x)
  FINWAIT_FIELDS(25, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y)
  FINWAIT_FIELDS(26, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z)
  FINWAIT_FIELDS(27, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, aa)
  FINWAIT_FIELDS(28, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, aa, ab)
#undef FINWAIT_FIELDS
    // clang-format on
  }
}

}  // namespace finwait::codec
