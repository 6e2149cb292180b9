#include "collectors/firewall/print/nft_text.h"

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "collectors/firewall/model/value_text.h"
#include "collectors/firewall/print/nft_field.h"
#include "collectors/firewall/print/nft_set_text.h"
#include "collectors/firewall/print/nft_statement_text.h"
#include "collectors/firewall/print/plain_words.h"
#include "collectors/firewall/print/rule_steps.h"

namespace finwait::firewall::print {
namespace {

using Relation = Comparison::Relation;

// A rule's parts. Tests that only make a later field possible ("meta l4proto tcp" before "tcp dport 22") are left out
// as nft leaves them out: they are kept until the rule's end shows whether a field says the same by its name.
class RuleText {
 public:
  RuleText(const Table& table, const Rule& rule) : table_(table), rule_(rule) {
    context_.ipv4 = table.family == TableFamily::kIpv4;
    context_.ipv6 = table.family == TableFamily::kIpv6;
  }

  std::string Text() {
    for (const Step& step : ReadSteps(table_, rule_)) {
      std::visit([this](const auto& part) { Add(part); }, step);
    }
    if (!rule_.comment.empty()) {
      parts_.push_back(Part{"comment \"" + Printable(rule_.comment) + "\""});
    }
    return Joined();
  }

  // What the rule asks of a connection, and can be typed.
  std::string Matches() {
    for (const Step& step : ReadSteps(table_, rule_)) {
      if (const auto* comparison = std::get_if<Comparison>(&step)) {
        AddMatch(*comparison);
      }
    }
    LeaveOut(&Part::tests_protocol);  // it is TCP: whoever uses this says so
    return Joined();
  }

 private:
  std::string Joined() const {
    std::string text;
    for (const Part& part : parts_) {
      if (!part.text.empty()) {
        text += (text.empty() ? "" : " ") + part.text;
      }
    }
    return text;
  }

  struct Part {
    std::string text;
    bool tests_network = false;   ///< says no more than that the packet is IPv4, or IPv6
    bool tests_protocol = false;  ///< says no more than the IP protocol
    bool tests_link = false;      ///< says no more than that the link is Ethernet
  };

  void Add(const Statement& statement) {
    const auto* reject = std::get_if<Reject>(statement.expression);
    if (reject != nullptr && reject->type == NFT_REJECT_ICMP_UNREACH) {
      LeaveOut(&Part::tests_network);  // "with icmp" says it too
    }
    if (statement.first && std::holds_alternative<DynamicSet>(*statement.expression)) {
      LeaveOutWhat(FieldOf(*statement.first, context_));
    }
    parts_.push_back(Part{NftStatementText(table_, context_, statement)});
  }

  void Add(const Comparison& comparison) {
    std::vector<Field> fields;
    std::string name;
    for (const Operand& operand : comparison.operands) {
      fields.push_back(FieldOf(operand, context_));
      name += (name.empty() ? "" : " . ") + fields.back().name;
      LeaveOutWhat(fields.back());
    }
    Part part{name + RelationText(comparison, fields)};
    if (comparison.relation == Relation::kEqual && comparison.operands.size() == 1 &&
        comparison.operands.front().bitwise == nullptr && comparison.operands.front().load != nullptr) {
      Learn(*comparison.operands.front().load, comparison.value, part);
    }
    parts_.push_back(std::move(part));
  }

  // One that tells connections apart: not by what the packet is in conntrack, nor by chance.
  void AddMatch(const Comparison& comparison) {
    std::string name;
    std::vector<Field> fields;
    for (const Operand& operand : comparison.operands) {
      if (operand.load == nullptr || operand.changed || std::holds_alternative<NumberGenerator>(*operand.load) ||
          std::holds_alternative<Hash>(*operand.load)) {
        return;
      }
      fields.push_back(FieldOf(operand, context_));
    }
    const bool alone = fields.size() == 1;
    if (fields.empty() || (alone && (fields.front().format == ValueFormat::kCtState ||
                                     fields.front().format == ValueFormat::kTcpFlags))) {
      return;
    }
    const Set* set = FindSet(table_, comparison.set);
    const bool of_set = comparison.relation == Relation::kInSet || comparison.relation == Relation::kNotInSet;
    if (of_set && (set == nullptr || !set->anonymous) && !IsPlainName(comparison.set)) {
      return;
    }
    if (comparison.relation != Relation::kVerdictMap) {
      Add(comparison);
    } else if (const std::string keys = NftDroppedKeysText(set, fields); !keys.empty()) {
      for (const Field& field : fields) {
        LeaveOutWhat(field);
        name += (name.empty() ? "" : " . ") + field.name;
      }
      parts_.push_back(Part{name + " " + keys});
    }
    const bool cut = !parts_.empty() && parts_.back().text.find("...") != std::string::npos;
    if (cut || (!parts_.empty() && !IsPlainInQuotes(parts_.back().text))) {
      parts_.pop_back();
    }
  }

  static bool IsPlainName(std::string_view name) {
    return !name.empty() && IsPlainWords(name) && name.find(' ') == std::string_view::npos;
  }

  // What an equality tells about the packet.
  void Learn(const Expression& load, const Value& value, Part& part) {
    const std::uint64_t number = BigEndianNumber(value);
    if (const auto* meta = std::get_if<MetaLoad>(&load)) {
      if (meta->key == NFT_META_NFPROTO || meta->key == NFT_META_PROTOCOL) {
        const bool ether_type = meta->key == NFT_META_PROTOCOL;
        context_.ipv4 = number == (ether_type ? ETH_P_IP : NFPROTO_IPV4);
        context_.ipv6 = number == (ether_type ? ETH_P_IPV6 : NFPROTO_IPV6);
        part.tests_network = true;
      } else if (meta->key == NFT_META_L4PROTO) {
        context_.protocol = static_cast<unsigned>(number);
        part.tests_protocol = true;
      } else if (meta->key == NFT_META_IIFTYPE || meta->key == NFT_META_OIFTYPE) {
        part.tests_link = true;
      }
    } else if (const auto* payload = std::get_if<PayloadLoad>(&load);
               payload != nullptr && payload->base == NFT_PAYLOAD_NETWORK_HEADER && payload->length == 1 &&
               payload->offset == (context_.ipv6 ? 6U : 9U)) {
      context_.protocol = static_cast<unsigned>(number);
    }
  }

  // Leaves out what the name of `field` says by itself.
  void LeaveOutWhat(const Field& field) {
    if (field.implies_network) {
      LeaveOut(&Part::tests_network);
    }
    if (field.implies_protocol) {
      LeaveOut(&Part::tests_protocol);
    }
    if (field.implies_link) {
      LeaveOut(&Part::tests_link);
    }
  }

  void LeaveOut(bool Part::*kind) {
    for (Part& part : parts_) {
      if (part.*kind) {
        part.text.clear();
      }
    }
  }

  std::string RelationText(const Comparison& comparison, const std::vector<Field>& fields) const {
    const Set* set = FindSet(table_, comparison.set);
    switch (comparison.relation) {
      case Relation::kInSet:
        return " " + NftSetText(set, comparison.set, fields);
      case Relation::kNotInSet:
        return " != " + NftSetText(set, comparison.set, fields);
      case Relation::kVerdictMap:
        return " vmap " + NftSetText(set, comparison.set, fields);
      default:
        break;
    }
    const Field& field = fields.front();
    switch (comparison.relation) {
      case Relation::kInRange:
        return " " + RangeText(field, comparison.value, comparison.to);
      case Relation::kNotInRange:
        return " != " + RangeText(field, comparison.value, comparison.to);
      case Relation::kLess:
        return " < " + ValueText(field, comparison.value);
      case Relation::kLessOrEqual:
        return " <= " + ValueText(field, comparison.value);
      case Relation::kGreater:
        return " > " + ValueText(field, comparison.value);
      case Relation::kGreaterOrEqual:
        return " >= " + ValueText(field, comparison.value);
      default:
        return EqualityText(comparison, field);
    }
  }

  static std::string EqualityText(const Comparison& comparison, const Field& field) {
    const bool equal = comparison.relation == Relation::kEqual;
    const std::string value = ValueText(field, comparison.value);
    const Bitwise* bitwise = comparison.operands.front().bitwise;
    if (bitwise == nullptr) {
      const char* relation = !equal ? " != " : field.format == ValueFormat::kTcpFlags ? " == " : " ";
      return relation + value;
    }
    if (BigEndianNumber(bitwise->xor_value) != 0) {
      return " [bitwise]";
    }
    const bool zero = std::all_of(comparison.value.begin(), comparison.value.end(),
                                  [](std::byte byte) { return byte == std::byte{0}; });
    if (IsBits(field.format)) {
      const std::string mask = FlagsText(field, bitwise->mask);
      if (zero) {
        return (equal ? " ! " : " ") + mask;
      }
      const std::string flags = FlagsText(field, comparison.value);
      if (bitwise->mask == comparison.value && std::popcount(BigEndianNumber(bitwise->mask)) == 1) {
        return " & " + mask + (equal ? " == " : " != ") + flags;  // nft writes a single bit so, several by a slash
      }
      return (equal ? " " : " != ") + flags + " / " + mask;
    }
    const int length = IsAddress(field.format) ? PrefixLength(bitwise->mask) : -1;
    if (length >= 0) {
      return (equal ? " " : " != ") + value + "/" + std::to_string(length);
    }
    return " & " + ValueText(field, bitwise->mask) + (equal ? " == " : " != ") + value;
  }

  const Table& table_;
  const Rule& rule_;
  PacketContext context_;
  std::vector<Part> parts_;
};

}  // namespace

std::string NftRuleText(const Table& table, const Rule& rule) { return RuleText(table, rule).Text(); }

std::string NftMatches(const Table& table, const Rule& rule) { return RuleText(table, rule).Matches(); }

}  // namespace finwait::firewall::print
