#pragma once

#include <cstddef>
#include <string>

#include "tests/lab/namespace.h"

namespace finwait::bench {

/// Rulesets as kube-proxy makes them, of about `rules` rules: services with two endpoints each, nearly everything in
/// table nat, and in filter a handful, among them drops of INVALID on forward and output. Addresses are of
/// 198.18.0.0/15.

/// For iptables-restore, both the legacy and the nft one.
std::string KubeProxyIptables(std::size_t rules);
/// The same services for `nft -f`, in table kube-proxy of family ip: as chains, not as maps, which would be few rules.
std::string KubeProxyNft(std::size_t rules);

enum class Rules { kLegacy, kIptablesNft, kNative };
inline constexpr Rules kRulesBackends[] = {Rules::kLegacy, Rules::kIptablesNft, Rules::kNative};
/// "legacy", "iptables-nft", "native nft".
const char* Name(Rules backend);
/// Loads them into a namespace by their own tool. Throws when that fails.
void LoadKubeRules(const lab::Namespace& where, Rules backend, std::size_t rules);

}  // namespace finwait::bench
