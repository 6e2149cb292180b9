#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "collectors/base/result.h"
#include "collectors/firewall/facts/fact.h"
#include "collectors/firewall/facts/need.h"
#include "collectors/firewall/read/ipset_member.h"
#include "collectors/kernel/netlink/attributes.h"

namespace finwait::firewall::read {

/// What an ipset says of an element.
struct IpsetAnswer {
  bool has = false;
  facts::IpsetExtensions extensions;
  bool ambiguous = false;  ///< several of its members hold the element, and keep different things beside it
};

/// Whether an ipset has elements, told from the list of its members (IPSET_CMD_LIST). To ask for one element
/// (IPSET_CMD_TEST) would not only read: what is asked may add to the element's counters.
///
/// The kernel looks up the longest prefix first, and the first member that holds the element decides
/// (mtype_test_cidrs()): so each element has the best member seen so far. Of hash:net,iface no shorter prefix is tried
/// once one is there, be it for other devices. A list is as long as it likes: nothing of it
/// is kept.
class IpsetMembers {
 public:
  /// No longer list is read: as many members as a set has room for unless somebody asks for more
  /// (IPSET_DEFAULT_MAXELEM).
  static constexpr std::size_t kMost = 65536;

  /// `asked`: of one set, which must outlive this.
  explicit IpsetMembers(const std::vector<const facts::IpsetElementKey*>& asked) : asked_(asked) {}

  /// One message of the list: the form of the set, and some of its members. An error where it is too long, or of a form
  /// that this program does not know.
  Result<void> Take(kernel::netlink::Bytes attributes);

  /// Whether the set has each element that was asked for, once the whole list was taken.
  std::vector<Result<IpsetAnswer>> Answers() const;

 private:
  // Lengths of the prefixes of both addresses; 0 where the type has none.
  struct Lengths {
    unsigned first = 0;
    unsigned second = 0;
    auto operator<=>(const Lengths&) const = default;
  };
  struct Best {
    std::optional<Lengths> lengths;
    bool holds = false;  // by its device, too
    bool excludes = false;
    bool hangs_on_hardware = false;  // a member is for an Ethernet address, and the packet's is not known
    bool contradicted = false;       // another one that is as good says otherwise
    facts::IpsetExtensions extensions;
    bool ambiguous = false;
  };
  // Elements by what a member of such prefixes must be, to hold them.
  using Index = std::unordered_multimap<std::string, std::size_t>;

  Result<void> TakeForm(const IpsetForm& form);
  Result<void> TakeMember(const ListedMember& listed);
  const Index& IndexOf(Lengths lengths);
  std::string Identity(const facts::IpsetElementKey& element, Lengths lengths) const;

  const std::vector<const facts::IpsetElementKey*>& asked_;
  std::vector<Best> best_ = std::vector<Best>(asked_.size());
  std::vector<std::pair<Lengths, Index>> indexes_;
  IpsetForm form_;
  std::size_t members_ = 0;
};

}  // namespace finwait::firewall::read
