#include "collectors/firewall/xt/ipset_conditions.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "collectors/firewall/packet/connection_class.h"

namespace finwait::firewall::xt {
namespace {

using facts::IpsetMember;
using packet::AbstractBytes;
using packet::Condition;
using packet::Conditions;
using packet::IntervalSet;
using packet::Wide;

// Beyond so many, what a set holds is not told apart.
constexpr std::size_t kMostProducts = 64;

IntervalSet PrefixOf(const IpAddress& address, unsigned bits) {
  const unsigned open = static_cast<unsigned>(address.Bytes().size() * 8) - bits;
  const Wide rest = open == 0 ? 0 : open >= 128 ? ~Wide{0} : (Wide{1} << open) - 1;
  const Wide first = packet::NumberOf(address) & ~rest;
  return IntervalSet::Between(first, first | rest);
}

// A field of the packet that is open, and what of it a member holds.
struct OpenField {
  AbstractBytes bytes;
  IntervalSet (*of)(const IpsetMember& member, std::uint32_t mark_mask) = nullptr;
};

IntervalSet AddressesOf(const IpsetMember& member, std::uint32_t) { return PrefixOf(*member.address, member.bits); }
IntervalSet SecondAddressesOf(const IpsetMember& member, std::uint32_t) {
  return PrefixOf(*member.second_address, member.second_bits);
}
IntervalSet PortsOf(const IpsetMember& member, std::uint32_t) {
  return IntervalSet::Between(*member.port, *member.port);
}
IntervalSet MarksOf(const IpsetMember& member, std::uint32_t mark_mask) {
  IntervalSet marks;
  IntervalSet::Masked(mark_mask, *member.mark & mark_mask, 32, &marks);
  return marks;
}

// All combinations of one value of each open field.
using Product = std::vector<IntervalSet>;

class Reading {
 public:
  Reading(const facts::IpsetContents& contents, const IpsetElement& element, bool excluding)
      : contents_(contents), element_(element), excluding_(excluding) {}

  // Nothing: it is more than products can say, or too many of them.
  std::optional<std::vector<Product>> Products() {
    IntervalSet marks;
    if (!element_.mark.empty() && !IntervalSet::Masked(contents_.mark_mask, 0, 32, &marks)) {
      return std::nullopt;
    }
    std::vector<const IpsetMember*> met;
    bool excludes = false;
    for (const IpsetMember& member : contents_.members) {
      if (!HasTheForm(member)) {
        return std::nullopt;
      }
      if (MayHold(member)) {
        met.push_back(&member);
        excludes = excludes || member.excludes;
      }
    }
    FindOpenFields();
    if (!excludes && excluding_) {
      return std::vector<Product>();
    }
    if (open_.size() == 1 && (excludes || !element_.device.empty())) {
      const IntervalSet holding = ByLength(met);
      return holding.Empty() ? std::vector<Product>() : std::vector<Product>{{holding}};
    }
    if (open_.empty() || excludes || !element_.device.empty()) {
      return std::nullopt;
    }
    return ProductsOf(met, open_.size());
  }

  const std::vector<OpenField>& Open() const { return open_; }

 private:
  bool HasTheForm(const IpsetMember& member) const {
    return member.address.has_value() == !element_.address.empty() &&
           member.second_address.has_value() == !element_.second_address.empty() &&
           member.port.has_value() == !element_.port.empty() && member.mark.has_value() == !element_.mark.empty() &&
           member.device.has_value() == !element_.device.empty();
  }

  static bool MayHold(AbstractBytes bytes, const IntervalSet& values) {
    Wide number = 0;
    return !packet::KnownNumber(bytes, &number) ||
           std::any_of(values.Intervals().begin(), values.Intervals().end(),
                       [&](const IntervalSet::Interval& each) { return each.first <= number && number <= each.last; });
  }

  // By what is known of the element; its device aside.
  bool MayHold(const IpsetMember& member) const {
    const std::uint32_t mask = contents_.mark_mask;
    return (element_.port.empty() || MayHold(element_.port, PortsOf(member, mask))) &&
           (element_.mark.empty() || MayHold(element_.mark, MarksOf(member, mask))) &&
           (element_.address.empty() || MayHold(element_.address, AddressesOf(member, mask))) &&
           (element_.second_address.empty() || MayHold(element_.second_address, SecondAddressesOf(member, mask)));
  }

  // Those of which few values are to be expected last: products are made by them.
  void FindOpenFields() {
    const auto add = [&](AbstractBytes bytes, auto of) {
      Wide number = 0;
      if (!bytes.empty() && !packet::KnownNumber(bytes, &number)) {
        open_.push_back({bytes, of});
      }
    };
    add(element_.address, AddressesOf);
    add(element_.second_address, SecondAddressesOf);
    add(element_.mark, MarksOf);
    add(element_.port, PortsOf);
  }

  // The kernel looks up the longest prefix first, and what it finds there decides: of a set with devices, be it for
  // other ones.
  IntervalSet ByLength(const std::vector<const IpsetMember*>& members) const {
    std::map<std::pair<unsigned, unsigned>, std::vector<const IpsetMember*>> by_length;
    for (const IpsetMember* member : members) {
      by_length[{member->bits, member->second_bits}].push_back(member);
    }
    IntervalSet holding;
    for (const auto& [length, alike] : by_length) {
      std::vector<IntervalSet::Interval> claimed;
      std::vector<IntervalSet::Interval> held;
      for (const IpsetMember* member : alike) {
        const IntervalSet values = open_.front().of(*member, contents_.mark_mask);
        claimed.insert(claimed.end(), values.Intervals().begin(), values.Intervals().end());
        if (member->HoldsDevice(element_.device) && member->excludes == excluding_) {
          held.insert(held.end(), values.Intervals().begin(), values.Intervals().end());
        }
      }
      const IntervalSet kept = holding.Difference(IntervalSet::Union(std::move(claimed)));
      held.insert(held.end(), kept.Intervals().begin(), kept.Intervals().end());
      holding = IntervalSet::Union(std::move(held));
    }
    return holding;
  }

  // Of the first `fields` open fields.
  std::optional<std::vector<Product>> ProductsOf(const std::vector<const IpsetMember*>& members,
                                                 std::size_t fields) const {
    if (fields == 1) {
      std::vector<IntervalSet::Interval> all;
      all.reserve(members.size());
      for (const IpsetMember* member : members) {
        const IntervalSet values = open_.front().of(*member, contents_.mark_mask);
        all.insert(all.end(), values.Intervals().begin(), values.Intervals().end());
      }
      return members.empty() ? std::vector<Product>() : std::vector<Product>{{IntervalSet::Union(std::move(all))}};
    }
    const OpenField& last = open_[fields - 1];
    std::map<std::pair<Wide, Wide>, std::vector<const IpsetMember*>> by_last;
    std::map<std::pair<Wide, Wide>, IntervalSet> values_of;
    for (const IpsetMember* member : members) {
      const IntervalSet values = last.of(*member, contents_.mark_mask);
      if (values.Empty()) {
        return std::nullopt;
      }
      const std::pair range(values.Intervals().front().first, values.Intervals().back().last);
      by_last[range].push_back(member);
      values_of[range] = values;
      if (by_last.size() > 16 * kMostProducts) {
        return std::nullopt;
      }
    }
    // Groups that overlap would claim each other's.
    IntervalSet seen;
    std::vector<Product> products;
    for (const auto& [range, group] : by_last) {
      const IntervalSet& values = values_of[range];
      if (!seen.Intersection(values).Empty()) {
        return std::nullopt;
      }
      std::vector<IntervalSet::Interval> all = seen.Intervals();
      all.insert(all.end(), values.Intervals().begin(), values.Intervals().end());
      seen = IntervalSet::Union(std::move(all));
      auto others = ProductsOf(group, fields - 1);
      if (!others) {
        return std::nullopt;
      }
      for (Product& product : *others) {
        Add(std::move(product), values, products);
      }
      if (products.size() > kMostProducts) {
        return std::nullopt;
      }
    }
    return products;
  }

  // `product` with `values` of one more field; to one that differs in that field alone, these are added.
  static void Add(Product product, const IntervalSet& values, std::vector<Product>& products) {
    for (Product& each : products) {
      if (std::equal(product.begin(), product.end(), each.begin())) {
        std::vector<IntervalSet::Interval> all = each.back().Intervals();
        all.insert(all.end(), values.Intervals().begin(), values.Intervals().end());
        each.back() = IntervalSet::Union(std::move(all));
        return;
      }
    }
    product.push_back(values);
    products.push_back(std::move(product));
  }

  const facts::IpsetContents& contents_;
  const IpsetElement& element_;
  bool excluding_;
  std::vector<OpenField> open_;
};

}  // namespace

std::optional<Conditions> ConditionsOfIpset(const facts::IpsetContents& contents, const IpsetElement& element,
                                            bool excluding, bool inverted) {
  Reading reading(contents, element, excluding);
  const auto products = reading.Products();
  if (!products) {
    return std::nullopt;
  }
  const auto in = [&](std::size_t field, const IntervalSet& values) {
    return Condition::In(reading.Open()[field].bytes, values, element.family);
  };
  if (products->empty()) {
    return Conditions{Condition::Of(inverted)};
  }
  const auto holds = [&](const Product& product) {
    Condition all;
    for (std::size_t field = 0; field < product.size(); ++field) {
      all.And(in(field, product[field]));
    }
    return all;
  };
  Conditions conditions;
  if (inverted) {
    for (const Product& product : *products) {
      conditions.push_back(holds(product).Invert());
    }
    return conditions;
  }
  if (products->size() == 1) {
    return Conditions{holds(products->front())};
  }
  if (products->front().size() != 2) {
    return std::nullopt;
  }
  // One of several products: the second field is of one of them, and with that value no other first one comes along.
  std::vector<IntervalSet::Interval> seconds;
  for (const Product& product : *products) {
    seconds.insert(seconds.end(), product[1].Intervals().begin(), product[1].Intervals().end());
  }
  conditions.push_back(in(1, IntervalSet::Union(std::move(seconds))));
  const unsigned bits = static_cast<unsigned>(reading.Open()[0].bytes.size() * 8);
  for (const Product& product : *products) {
    Condition astray = in(1, product[1]);
    astray.And(in(0, IntervalSet::All(bits).Difference(product[0])));
    conditions.push_back(astray.Invert());
  }
  return conditions;
}

}  // namespace finwait::firewall::xt
