#include "collectors/firewall/facts/fact.h"

#include <algorithm>

namespace finwait::firewall::facts {
namespace {

std::size_t SizeOf(const Chain& chain) {
  std::size_t size = sizeof(Chain) + chain.name.size();
  for (const Rule& rule : chain.rules) {
    size += sizeof(Rule) + rule.comment.size() + rule.expressions.capacity() * sizeof(Expression);
  }
  return size;
}

std::size_t SizeOf(const Set& set) {
  std::size_t size = sizeof(Set);
  for (const SetElement& element : set.elements) {
    size += sizeof(SetElement) + element.key.size() + (element.key_end ? element.key_end->size() : 0);
  }
  return size;
}

bool HasEnd(const std::vector<Endpoint>& ends, const Endpoint& end) {
  return std::binary_search(ends.begin(), ends.end(), end) ||
         std::binary_search(ends.begin(), ends.end(), Endpoint{end.address, 0});
}

struct Sizer {
  std::size_t operator()(std::monostate) const { return 0; }
  std::size_t operator()(const Error& error) const { return error.message.size(); }
  std::size_t operator()(const std::shared_ptr<const Chain>& chain) const { return SizeOf(*chain); }
  std::size_t operator()(const std::shared_ptr<const Table>& table) const {
    std::size_t size = sizeof(Table);
    for (const auto& [name, chain] : table->chains) {
      size += SizeOf(*chain);
    }
    return size;
  }
  std::size_t operator()(const std::shared_ptr<const Set>& set) const { return SizeOf(*set); }
  std::size_t operator()(const std::shared_ptr<const SetElement>& element) const {
    return sizeof(SetElement) + 2 * element->key.size();
  }
  std::size_t operator()(const std::shared_ptr<const Route>&) const { return sizeof(Route); }
  std::size_t operator()(const std::shared_ptr<const Ipset>& set) const {
    return sizeof(Ipset) + set->members.size() * sizeof(Ipset);
  }
  std::size_t operator()(const std::shared_ptr<const IpsetContents>& contents) const {
    return sizeof(IpsetContents) + contents->members.size() * sizeof(IpsetMember);
  }
  std::size_t operator()(const Socket&) const { return 0; }
  std::size_t operator()(const NamespaceFacts& facts) const {
    std::size_t size = 0;
    for (const ForeignProgram& program : facts.programs) {
      size += sizeof(ForeignProgram) + program.name.size();
    }
    const VirtualServices& virtual_services = facts.virtual_services;
    size += (virtual_services.services.size() + virtual_services.servers.size()) * sizeof(Endpoint);
    return size;
  }
  std::size_t operator()(bool) const { return 0; }
  std::size_t operator()(std::uint64_t) const { return 0; }
  std::size_t operator()(const std::shared_ptr<const RecentList>& list) const {
    constexpr std::size_t kNode = 32;  // of the map
    return sizeof(RecentList) + list->entries.size() * (kNode + sizeof(IpAddress) + sizeof(RecentEntry));
  }
  std::size_t operator()(const HardwareAddress&) const { return 0; }
  std::size_t operator()(const IpsetExtensions&) const { return 0; }
  std::size_t operator()(const Clock&) const { return 0; }
  std::size_t operator()(const std::shared_ptr<const ConnectionEntry>&) const { return sizeof(ConnectionEntry); }
  std::size_t operator()(const std::shared_ptr<const ControlGroup>& group) const {
    return sizeof(ControlGroup) + group->path.size() + group->line.size() * sizeof(std::uint64_t);
  }
};

}  // namespace

Fact::Fact(const Fact& other) = default;
Fact::Fact(Fact&& other) noexcept = default;
Fact& Fact::operator=(const Fact& other) = default;
Fact& Fact::operator=(Fact&& other) noexcept = default;
Fact::~Fact() = default;

std::string VirtualServices::Of(const Endpoint& local, const Endpoint& peer) const {
  if (HasEnd(services, peer)) {
    return peer.Text();
  }
  return HasEnd(services, local) || HasEnd(servers, local) ? local.Text() : "";
}

bool Fact::SameAs(const Fact& other) const {
  const auto same = [&](const auto* mine, const auto* theirs) {
    return mine != nullptr && theirs != nullptr && *mine == *theirs;
  };
  return (IsAbsent() && other.IsAbsent()) || same(As<bool>(), other.As<bool>()) ||
         same(As<Socket>(), other.As<Socket>()) || same(As<NamespaceFacts>(), other.As<NamespaceFacts>());
}

std::size_t Fact::Size() const { return sizeof(Fact) + std::visit(Sizer(), value_); }

}  // namespace finwait::firewall::facts
