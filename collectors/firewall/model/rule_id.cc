#include "collectors/firewall/model/rule_id.h"

namespace finwait::firewall {

RuleId IdOf(const Table& table, const Chain& chain, const Rule* rule) {
  RuleId id;
  id.backend = table.backend;
  id.dialect = table.dialect;
  id.family = table.family;
  id.table = table.name;
  id.chain = chain.name;
  if (rule != nullptr && table.backend == Backend::kNft) {
    id.handle = rule->handle;
  } else if (rule != nullptr) {
    id.index = rule->index;
  }
  return id;
}

}  // namespace finwait::firewall
