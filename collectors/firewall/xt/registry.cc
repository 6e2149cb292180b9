#include "collectors/firewall/xt/registry.h"

#include <algorithm>

#include "collectors/firewall/xt/packet_entry.h"

namespace finwait::firewall::xt {
namespace {

// The one table of extensions, one a line.
// clang-format off
using FamilyFunction = Family (*)();
constexpr FamilyFunction kFamilies[] = {
    families::Accounting,
    families::Addrtype,
    families::Bpf,
    families::Cgroup,
    families::Checksum,
    families::Classify,
    families::Comment,
    families::ConnectionEntry,
    families::Connlimit,
    families::Connmark,
    families::Conntrack,
    families::Ct,
    families::Devgroup,
    families::Dscp,
    families::Ebtables,
    families::Error,
    families::HopLimit,
    families::Icmp,
    families::Iprange,
    families::Ipv6Header,
    families::Length,
    families::Limit,
    families::Log,
    families::Mac,
    families::Mark,
    families::Multiport,
    families::Nat,
    families::Nfacct,
    families::OtherProtocols,
    families::Owner,
    families::Physdev,
    families::Pkttype,
    families::Policy,
    families::Queue,
    families::Realm,
    families::Recent,
    families::Reject,
    families::Rpfilter,
    families::Set,
    families::Socket,
    families::Statistic,
    families::Synproxy,
    families::Tcp,
    families::Tcpmss,
    families::Time,
    families::U32,
    families::Udp,
    families::Unpredictable,
};
// clang-format on

std::vector<Family> CallAll() {
  std::vector<Family> families;
  for (const FamilyFunction family : kFamilies) {
    families.push_back(family());
  }
  return families;
}

template <typename Extension>
bool ByName(const Extension* a, const Extension* b) {
  return a->name < b->name;
}

template <typename Extension, typename Use>
const Extension* FindIn(const std::vector<const Extension*>& extensions, const Use& use) {
  auto each =
      std::lower_bound(extensions.begin(), extensions.end(), use.name,
                       [](const Extension* extension, const std::string& name) { return extension->name < name; });
  for (; each != extensions.end() && (*each)->name == use.name; ++each) {
    if ((*each)->revisions.Have(use.revision)) {
      return *each;
    }
  }
  return nullptr;
}

constexpr Traits kUnknownExtension = {.changes_packet = true,
                                      .unknowable_because = "an extension that this version does not know"};

}  // namespace

Registry::Registry(std::span<const Family> families) {
  for (const Family& family : families) {
    for (const Match& match : family.matches) {
      matches_.push_back(&match);
    }
    for (const Target& target : family.targets) {
      targets_.push_back(&target);
    }
  }
  std::stable_sort(matches_.begin(), matches_.end(), ByName<Match>);
  std::stable_sort(targets_.begin(), targets_.end(), ByName<Target>);
}

const Match* Registry::Find(const XtMatch& match) const { return FindIn(matches_, match); }

const Target* Registry::Find(const XtTarget& target) const { return FindIn(targets_, target); }

Conditions Registry::ConditionsOf(const XtMatch& match, const Packet& packet, const HookContext& context,
                                  FactLookup& facts) const {
  const Match* known = Find(match);
  if (known != nullptr && known->conditions != nullptr) {
    return known->conditions(match, packet, context, facts);
  }
  // A condition points at its reason: the name lives as long as the rule, the traits as long as the program.
  return {Condition::Of(Tristate::kUnknown,
                        known != nullptr ? known->traits.unknowable_because : std::string_view(match.name))};
}

void Registry::Change(const XtMatch& match, Packet& packet, const HookContext& context, bool matched) const {
  if (const Match* known = Find(match); known != nullptr && known->change != nullptr) {
    known->change(match, packet, context, matched);
  }
}

Value Registry::IdentityOf(const XtMatch& match) const {
  const Match* extension = Find(match);
  return extension != nullptr && extension->identity != nullptr ? extension->identity(match) : match.info;
}

bool Registry::TestsState(const XtMatch& match) const {
  const Match* known = Find(match);
  return known != nullptr && known->tests_state != nullptr && known->tests_state(match);
}

Effect Registry::Apply(const XtTarget& target, Packet& packet, const HookContext& context, FactLookup& facts) const {
  const Target* known = Find(target);
  if (known == nullptr) {
    return Effect::Unknown("the target " + target.name);
  }
  if (known->reads_connection_mark != nullptr && known->reads_connection_mark(target)) {
    packet.connection_mark = ConnectionMarkOf(packet, facts);
  }
  if (known->apply_with_facts != nullptr) {
    return known->apply_with_facts(target, packet, context, facts);
  }
  if (known->apply != nullptr) {
    return known->apply(target, packet, context);
  }
  return known->traits.unknowable_because.empty() ? Effect()
                                                  : Effect::Unknown(std::string(known->traits.unknowable_because));
}

bool Registry::Resets(const XtTarget& target, IpFamily family) const {
  const Target* known = Find(target);
  return known != nullptr && known->resets != nullptr && known->resets(target, family);
}

Traits Registry::TraitsOf(const XtMatch& match) const {
  const Match* known = Find(match);
  return known != nullptr ? known->traits : kUnknownExtension;
}

Traits Registry::TraitsOf(const XtTarget& target) const {
  const Target* known = Find(target);
  if (known == nullptr) {
    return kUnknownExtension;
  }
  return known->traits_of != nullptr ? known->traits_of(target) : known->traits;
}

std::string Registry::TextOf(const XtMatch& match, bool ipv6) const {
  const Match* known = Find(match);
  const std::optional<OptionText> text =
      known != nullptr && known->text != nullptr ? known->text(match, ipv6) : std::nullopt;
  if (!text) {
    return "-m " + match.name + " [...]";
  }
  return "-m " + (text->name.empty() ? match.name : std::string(text->name)) + text->options;
}

std::string Registry::TextOf(const XtTarget& target, bool ipv6) const {
  const Target* known = Find(target);
  std::optional<OptionText> text =
      known != nullptr && known->text != nullptr ? known->text(target, ipv6) : std::nullopt;
  if (!text && target.info.empty() && (known == nullptr || known->text == nullptr)) {
    text = "";  // a target without a structure has no options
  }
  if (!text) {
    return "-j " + target.name + " [...]";
  }
  return "-j " + (text->name.empty() ? target.name : std::string(text->name)) + text->options;
}

const Registry& BuiltIn() {
  static const Registry registry{std::span<const Family>(CallAll())};
  return registry;
}

}  // namespace finwait::firewall::xt
