#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "collectors/base/ip.h"
#include "collectors/base/result.h"
#include "collectors/firewall/model/expression.h"

/// The one model of a network namespace's packet filter: nftables (rules of iptables-nft included) and legacy x_tables
/// side by side, as both can be active at once. Plain data. Chains and sets are immutable and shared, so that the next
/// sample replaces only what it read again.
namespace finwait::firewall {

/// Who runs a rule: nf_tables (native nft and iptables-nft alike) or x_tables through its own sockopt
/// (iptables-legacy).
enum class Backend { kNft, kLegacy };

/// Whose commands keep a table: nft's, or those of iptables and ip6tables, whose -nft variants write into nf_tables and
/// expect their own tables and chains there.
enum class Dialect { kNft, kIptables };

/// The family a table is bound to. Tables of family arp are left out altogether: TCP never meets them. Those of family
/// bridge (ebtables-nft's, too) see the frames of packets that leave or come in through a bridge.
enum class TableFamily { kIpv4, kIpv6, kInet, kNetdev, kBridge };

using finwait::IpFamily;
using finwait::kIpFamilies;

enum class Hook { kIngress, kPrerouting, kInput, kForward, kOutput, kPostrouting, kEgress };

inline constexpr Backend kBackends[] = {Backend::kNft, Backend::kLegacy};
inline constexpr Hook kHooks[] = {Hook::kIngress, Hook::kPrerouting,  Hook::kInput, Hook::kForward,
                                  Hook::kOutput,  Hook::kPostrouting, Hook::kEgress};

std::string_view Name(Backend backend);     ///< "nft", "legacy"
std::string_view Name(TableFamily family);  ///< as nft writes it: "ip", "ip6", "inet", "netdev", "bridge"
using finwait::Name;                        // of an IpFamily
std::string_view Name(Hook hook);           ///< "ingress", "prerouting"...

/// Whether packets of `ip` pass tables of `table` on their way through the hooks of IP and of devices; inet and netdev
/// see both. A bridge has hooks of its own, so its tables cover neither.
bool Covers(TableFamily table, IpFamily ip);

struct Rule {
  /// nft: the kernel's handle, unique in its table and never reused while it exists. Legacy: none.
  std::optional<std::uint64_t> handle;
  /// Position in its chain, from 1, as `iptables -L --line-numbers` counts.
  std::uint32_t index = 0;
  std::vector<Expression> expressions;
  /// nft's own comment (NFTA_RULE_USERDATA). An iptables comment is an XtMatch "comment".
  std::string comment;
};

/// How much of a chain or set the model holds. Whatever is not kComplete can only evaluate to "unknown" (rules that are
/// held are the chain's first; an element that is held is there, one that is not held may be there too).
enum class Contents {
  kComplete,
  kTruncated,  ///< larger than the reader's bounds
  kNotRead,    ///< left out of a collection (nat chains); facts::Resolver fetches it
};

enum class ChainType {
  kFilter,
  kRoute,  ///< nft type route and legacy mangle OUTPUT: filters, then routes again if mark or addresses changed
  kNat,    ///< sees only the first packet of a connection, one that conntrack calls NEW
};

struct Device {
  std::string name;
  bool prefix = false;  ///< every device whose name starts with `name` (NFTA_DEVICE_PREFIX, Linux 6.16)
  bool operator==(const Device&) const = default;
};

/// What makes a chain a base chain: the kernel itself starts it.
struct BaseChain {
  Hook hook = Hook::kInput;
  /// Lower runs first; conntrack looks packets up at -200. Among equals the kernel runs the one registered last first.
  std::int32_t priority = 0;
  ChainType type = ChainType::kFilter;
  bool policy_drop = false;  ///< what happens to a packet that no rule decides
  /// Packets that the policy decided. Native nft chains have none; iptables-nft and legacy chains do.
  std::optional<Counter> policy_counter;
  /// Only on ingress and egress: the devices it is bound to.
  std::vector<Device> devices;
  /// nft: chains alone have older handles in its table, and none is missing. So nothing shows that the table was there
  /// some time before the chain.
  bool made_with_table = false;
};

struct Chain {
  static constexpr bool kCrossesOnce = true;  ///< to another process of this program (codec/codec.h)
  std::string name;
  std::optional<std::uint64_t> handle;  ///< nft only
  std::optional<BaseChain> base;        ///< absent: only reached by jump and goto
  std::vector<Rule> rules;
  Contents contents = Contents::kComplete;
};

/// One element of a set or map.
struct SetElement {
  /// As it lies in the registers: key_length bytes, each field of a concatenation padded with zeros to 4 bytes.
  Value key;
  /// The end of a range, included; the same length as `key`. Absent: `key` alone. In a concatenation every field is
  /// its own range. The kernel's half-open pairs (NFT_SET_ELEM_INTERVAL_END) are already joined into this form.
  std::optional<Value> key_end;
  /// Matches what no other element matches; `key` is empty.
  bool catch_all = false;
  /// What a map gives: nothing for a plain set, a value, a verdict, or the name of an object.
  std::variant<std::monostate, Value, Verdict, std::string> data;
  std::optional<Counter> counter;
  /// Expressions of the element other than a counter, by name ("limit", "quota", "connlimit", "last"). One of the
  /// first three can make a found element not match.
  std::vector<std::string> expressions;
  std::optional<ConnectionLimit> connection_limit;  ///< of a "connlimit" among them
  /// Milliseconds until it vanishes, as of the sample.
  std::optional<std::uint64_t> expires_ms;
};

/// A set, map or verdict map.
struct Set {
  static constexpr bool kCrossesOnce = true;
  std::string name;  ///< anonymous ones are named by the kernel, "__set0", "__map3"
  std::uint32_t key_length = 0;
  /// Lengths in bytes of a concatenation's fields, each padded to 4 in the key. Only sent for concatenations with
  /// ranges; empty: one field.
  std::vector<std::uint32_t> field_lengths;
  /// nft's own type numbers (nothing the kernel knows), for printing: 7 ipv4_addr, 13 inet_service...
  std::uint32_t key_type = 0;
  std::uint32_t data_type = 0;
  std::uint32_t data_length = 0;  ///< of what a map gives, in bytes
  bool anonymous = false;
  bool interval = false;     ///< elements are ranges, compared by memcmp
  bool map = false;          ///< elements carry data
  bool verdict_map = false;  ///< their data are verdicts
  bool object_map = false;   ///< their data are names of objects
  bool has_timeout = false;  ///< elements may vanish by themselves
  /// The packet path adds elements (NFT_SET_EVAL): contents change without a new generation id.
  bool dynamic = false;
  /// What elements that are put in carry, by name, where the set says so for all (`set s { ... limit rate 1/second }`).
  std::vector<std::string> expressions;
  std::uint64_t element_count = 0;  ///< what the reader saw, also where it did not keep them
  /// Ordered by key, then catch-all; ranges do not overlap except in concatenations. Where elements come and go without
  /// a new generation (has_timeout, dynamic), these are those of the time when the ruleset last changed; only
  /// facts::ElementKey asks for what is there now.
  std::vector<SetElement> elements;
  Contents contents = Contents::kComplete;
};

/// A named object that a rule refers to. Only counters have anything to tell.
struct Object {
  std::uint32_t type = 0;  ///< NFT_OBJECT_*
  std::string name;
  std::optional<Counter> counter;
};

/// A flowtable that a rule hands established connections to (`flow add`, `flow offload`). What comes in by one of its
/// devices and belongs to one of these connections goes on past prerouting, forward and postrouting for as long as the
/// connection's entry is there (nf_flow_offload_ip_hook()). Without its entry nothing does.
struct Flowtable {
  std::string name;
  std::int32_t priority = 0;  ///< at hook ingress of its devices; lower runs first
  bool hardware = false;      ///< `flags offload`: network cards may pass on what they can, too
  std::vector<Device> devices;
};

struct Table {
  Backend backend = Backend::kNft;
  Dialect dialect = Dialect::kNft;  ///< told by the reader; legacy tables are kIptables always
  TableFamily family = TableFamily::kIpv4;
  std::string name;
  bool dormant = false;  ///< its base chains are not registered: nothing in it runs
  /// Base chains that can drop and all that they can reach. nat base chains are listed but kNotRead.
  std::map<std::string, std::shared_ptr<const Chain>, std::less<>> chains;
  /// Sets that the rules read refer to.
  std::map<std::string, std::shared_ptr<const Set>, std::less<>> sets;
  std::vector<Object> objects;
  std::vector<Flowtable> flowtables;  ///< those that the rules read refer to
};

/// Part of the packet filter that could not be read. Nothing may be concluded about it.
struct UnreadPart {
  Backend backend = Backend::kNft;
  std::optional<TableFamily> family;  ///< absent: the whole backend
  std::string table;                  ///< empty: all tables
  Error error;
};

/// The packet filter of one network namespace at one moment.
struct Ruleset {
  static constexpr bool kCrossesOnce = true;
  std::vector<Table> tables;
  /// nftables' generation id (NFT_MSG_GETGEN); absent where there is no nf_tables.
  std::optional<std::uint32_t> generation;
  /// The ruleset changed while it was read, every time it was tried: parts may not fit together.
  bool torn = false;
  std::vector<UnreadPart> unread;
};

/// A flowtable and the table that it is of.
struct FlowtableInTable {
  TableFamily family = TableFamily::kIpv4;
  std::string table;
  Flowtable flowtable;
};

/// Whether rules hand connections to flowtables, and to which.
bool HasFlowtables(const Ruleset& ruleset);
std::vector<FlowtableInTable> FlowtablesOf(const Ruleset& ruleset);
/// `flowtable "fast" of nft table inet fw (at the ingress of eth0 and eth1, priority 0)`.
std::string Describe(const FlowtableInTable& flowtable);
/// The table of that name, or null.
const Table* FindTable(const Ruleset& ruleset, Backend backend, TableFamily family, std::string_view name);
/// The chain or set of that name, or null: not there, or beyond the reader's bounds.
const Chain* FindChain(const Table& table, std::string_view name);
const Set* FindSet(const Table& table, std::string_view name);

/// Whether rules of `backend` that packets of `family` pass could not be read, in part or wholly.
bool IsUnavailable(const Ruleset& ruleset, Backend backend, IpFamily family);

}  // namespace finwait::firewall
