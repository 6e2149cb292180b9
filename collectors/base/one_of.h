#pragma once

#include <concepts>

namespace finwait {

/// T is one of these. What a visitor does for all the alternatives that it has no more to say of: they are named, so
/// that the compiler asks for a new one.
template <typename T, typename... Types>
concept OneOf = (std::same_as<T, Types> || ...);

}  // namespace finwait
