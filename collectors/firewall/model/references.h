#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "collectors/firewall/model/ruleset.h"

/// What rules name of their own table: the one place that knows which expression refers to what. Whoever follows jumps
/// or reads what rules need asks here.
namespace finwait::firewall {

struct Reference {
  enum class Kind {
    kChain,       ///< by jump or goto
    kSet,         ///< a set or map
    kVerdictMap,  ///< a set whose elements may jump to chains
    kObject,      ///< a named object of type `object_type`
  };
  Kind kind = Kind::kChain;
  const std::string& name;
  std::uint32_t object_type = 0;  ///< NFT_OBJECT_*; kObject only
};

/// Calls `visit` for what `expression` names itself; at most once.
void ForEachReference(const Expression& expression, const std::function<void(const Reference&)>& visit);

/// Calls `visit` with the name of each chain that `rule` can jump or go to: by its own verdict, and by the elements of
/// verdict maps as far as `table` holds them.
void ForEachJump(const Table& table, const Rule& rule, const std::function<void(const std::string&)>& visit);

}  // namespace finwait::firewall
