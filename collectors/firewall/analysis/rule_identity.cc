#include "collectors/firewall/analysis/rule_identity.h"

#include <span>
#include <type_traits>

#include "collectors/base/hash.h"

namespace finwait::firewall::analysis {
namespace {

class Hasher {
 public:
  void Add(std::span<const std::byte> bytes) { hash_.Add(bytes); }
  void Add(const std::string& text) {
    Add(std::as_bytes(std::span(text)));
    Add(text.size());
  }
  void Add(std::uint64_t number) { Add(std::as_bytes(std::span(&number, 1))); }
  std::uint64_t Hash() const { return hash_.Hash(); }

 private:
  Fnv1a hash_;
};

// Legacy rules are made of these; of nftables' own expressions the kind is enough, because nft rules have handles.
void AddExpression(const Expression& expression, Hasher& hasher) {
  hasher.Add(expression.index());
  if (const auto* header = std::get_if<std::shared_ptr<const IpHeaderMatch>>(&expression)) {
    const IpHeaderMatch& match = **header;
    hasher.Add(std::as_bytes(std::span(match.source)));
    hasher.Add(std::as_bytes(std::span(match.source_mask)));
    hasher.Add(std::as_bytes(std::span(match.destination)));
    hasher.Add(std::as_bytes(std::span(match.destination_mask)));
    for (const IpHeaderMatch::Interface* device : {&match.in, &match.out}) {
      hasher.Add(std::as_bytes(std::span(device->name)));
      hasher.Add(std::as_bytes(std::span(device->mask)));
    }
    for (const unsigned number : {unsigned{match.protocol}, unsigned{match.type_of_service}, unsigned{match.flags},
                                  unsigned{match.inverse_flags}}) {
      hasher.Add(number);
    }
  } else if (const auto* statement = std::get_if<VerdictStatement>(&expression)) {
    hasher.Add(static_cast<std::uint64_t>(statement->verdict.kind));
    hasher.Add(statement->verdict.chain);
  } else {
    std::visit(
        [&](const auto& extension) {
          using T = std::decay_t<decltype(extension)>;
          if constexpr (std::is_same_v<T, XtMatch> || std::is_same_v<T, XtTarget>) {
            hasher.Add(extension.name);
            hasher.Add(extension.revision);
            hasher.Add(extension.info);
          }
        },
        expression);
  }
}

std::string TableName(const Table& table) {
  return std::string(Name(table.backend)) + " " + std::string(Name(table.family)) + " " + table.name;
}

}  // namespace

std::uint64_t HashRule(const Rule& rule) {
  Hasher hasher;
  for (const Expression& expression : rule.expressions) {
    AddExpression(expression, hasher);
  }
  return hasher.Hash();
}

std::string RuleIdentities::Of(const Rule& rule) {
  if (rule.handle) {
    return TableName(table_) + " handle " + std::to_string(*rule.handle);
  }
  if (by_index_.empty()) {
    std::map<std::uint64_t, std::size_t> seen;
    for (const Rule& each : chain_.rules) {
      const std::uint64_t hash = HashRule(each);
      by_index_.emplace(each.index, Numbered{hash, seen[hash]++});
    }
  }
  const Numbered& numbered = by_index_.at(rule.index);
  return TableName(table_) + " " + chain_.name + " rule " + std::to_string(numbered.hash) + " " +
         std::to_string(numbered.equals_before);
}

std::string PolicyIdentity(const Table& table, const Chain& chain) {
  return TableName(table) + " " + chain.name + " policy";
}

}  // namespace finwait::firewall::analysis
