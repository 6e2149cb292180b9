#include "collectors/firewall/read/legacy_tables.h"

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace finwait::firewall::read {
namespace {

struct StandardTable {
  std::string_view name;
  std::uint32_t hooks;
  std::int32_t priority;
};

constexpr std::uint32_t Bit(nf_inet_hooks hook) { return 1U << hook; }

// linux/netfilter_ipv4.h: NF_IP_PRI_*. raw moves to -450 where its module is told to run before defragmentation.
constexpr StandardTable kStandardTables[] = {
    {"raw", Bit(NF_INET_PRE_ROUTING) | Bit(NF_INET_LOCAL_OUT), NF_IP_PRI_RAW},
    {"mangle",
     Bit(NF_INET_PRE_ROUTING) | Bit(NF_INET_LOCAL_IN) | Bit(NF_INET_FORWARD) | Bit(NF_INET_LOCAL_OUT) |
         Bit(NF_INET_POST_ROUTING),
     NF_IP_PRI_MANGLE},
    {"nat", Bit(NF_INET_PRE_ROUTING) | Bit(NF_INET_LOCAL_IN) | Bit(NF_INET_LOCAL_OUT) | Bit(NF_INET_POST_ROUTING),
     NF_IP_PRI_NAT_DST},
    {"filter", Bit(NF_INET_LOCAL_IN) | Bit(NF_INET_FORWARD) | Bit(NF_INET_LOCAL_OUT), NF_IP_PRI_FILTER},
    {"security", Bit(NF_INET_LOCAL_IN) | Bit(NF_INET_FORWARD) | Bit(NF_INET_LOCAL_OUT), NF_IP_PRI_SECURITY},
};

const StandardTable* FindStandardTable(const std::string& name) {
  const auto found = std::find_if(std::begin(kStandardTables), std::end(kStandardTables),
                                  [&](const StandardTable& table) { return table.name == name; });
  return found == std::end(kStandardTables) ? nullptr : found;
}

constexpr std::string_view kBaseChainNames[kLegacyHooks] = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};

BaseChain StandardBaseChain(const StandardTable& table, std::uint32_t hook) {
  BaseChain base;
  base.hook = static_cast<Hook>(static_cast<std::uint32_t>(Hook::kPrerouting) + hook);
  base.priority = table.priority;
  if (table.name == "nat") {
    base.type = ChainType::kNat;
    if (hook == NF_INET_LOCAL_IN || hook == NF_INET_POST_ROUTING) {
      base.priority = NF_IP_PRI_NAT_SRC;
    }
  } else if (table.name == "mangle" && hook == NF_INET_LOCAL_OUT) {
    base.type = ChainType::kRoute;
  }
  return base;
}

}  // namespace

std::uint32_t StandardLegacyHooks(const std::string& table) {
  const StandardTable* standard = FindStandardTable(table);
  return standard != nullptr ? standard->hooks : 0;
}

Result<Table> DescribeLegacyTable(TableFamily family, const std::string& name, std::uint32_t valid_hooks) {
  const StandardTable* standard = FindStandardTable(name);
  if (standard == nullptr) {
    return Fail(
        FailureReason::kUnsupported,
        "legacy table " + name + " is not one of raw, mangle, nat, filter and security; when it runs is unknown");
  }
  Table table;
  table.backend = Backend::kLegacy;
  table.dialect = Dialect::kIptables;
  table.family = family;
  table.name = name;
  for (std::uint32_t hook = 0; hook < kLegacyHooks; ++hook) {
    if ((valid_hooks & (1U << hook)) != 0) {
      auto chain = std::make_shared<Chain>();
      chain->name = kBaseChainNames[hook];
      chain->base = StandardBaseChain(*standard, hook);
      chain->contents = Contents::kNotRead;
      table.chains.emplace(chain->name, std::move(chain));
    }
  }
  return table;
}

}  // namespace finwait::firewall::read
