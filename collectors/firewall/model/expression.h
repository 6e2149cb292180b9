#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What a rule is made of, in the words of nftables' register machine. Rules of x_tables are decoded into the same
/// list, so that one evaluator runs all of them. Nothing here evaluates; every struct is what the kernel sent, decoded.
///
/// How a rule runs: its expressions in order, until one does not match (the rule ends, the next one starts) or one
/// gives a verdict. Numbers named after a kernel enumeration (NFT_META_*, NFT_CT_*) keep the kernel's values, because
/// newer kernels add some that this program has never heard of.
namespace finwait::firewall {

/// Bytes as they lie in a register, a set's key or an xt extension's private structure.
using Value = std::vector<std::byte>;

/// A place in the register machine's data area of 64 bytes. NFT_REG_1..4 (16 bytes each) and NFT_REG32_00..15 (4 bytes
/// each) are two names for the same area. A value of N bytes starts at `offset` and may span several registers; bytes
/// up to the next multiple of 4 are zero (padding). The verdict register is not part of it.
struct Register {
  static constexpr std::size_t kAreaSize = 64;
  std::uint8_t offset = 0;  ///< in bytes, a multiple of 4, below kAreaSize
  bool IsValid() const { return offset % 4 == 0 && offset < kAreaSize; }
  bool operator==(const Register&) const = default;
};

/// What a rule says when it has matched, or a set's element when it was found.
struct Verdict {
  enum class Kind {
    kAccept,    ///< NF_ACCEPT: this base chain is done, later base chains still run
    kDrop,      ///< NF_DROP: final
    kStolen,    ///< NF_STOLEN: somebody else has the packet
    kQueue,     ///< NF_QUEUE: a user-space program decides
    kContinue,  ///< NFT_CONTINUE: the next expression
    kBreak,     ///< NFT_BREAK: the next rule
    kJump,      ///< NFT_JUMP: `chain`, and come back
    kGoto,      ///< NFT_GOTO: `chain`, and do not come back
    kReturn,    ///< NFT_RETURN: back to the calling chain; in a base chain its policy
  };
  Kind kind = Kind::kContinue;
  std::string chain;  ///< target of kJump and kGoto, in the same table; else empty
  bool operator==(const Verdict&) const = default;
};

/// Packets and bytes that passed a counter since it was made or reset.
struct Counter {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  bool operator==(const Counter&) const = default;
};

// --- loading and computing -----------------------------------------------------------------------------------------

/// "immediate" into a data register.
struct Immediate {
  Register destination;
  Value value;
};

/// "immediate" into the verdict register, and the standard target of x_tables: ends the rule.
struct VerdictStatement {
  Verdict verdict;
};

/// "payload": `length` bytes from the packet at `offset` of `base`. Does not match when the packet is too short.
struct PayloadLoad {
  std::uint32_t base = 0;  ///< NFT_PAYLOAD_LL_HEADER, _NETWORK_HEADER, _TRANSPORT_HEADER, _INNER_HEADER
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  Register destination;
};

/// "payload" that rewrites the packet.
struct PayloadWrite {
  std::uint32_t base = 0;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  Register source;
};

struct MetaLoad {
  std::uint32_t key = 0;  ///< NFT_META_*
  Register destination;
};

struct MetaSet {
  std::uint32_t key = 0;
  Register source;
};

/// "ct" load. NFT_CT_STATE gives a bit mask of NF_CT_STATE_* in the host's byte order.
struct CtLoad {
  std::uint32_t key = 0;                  ///< NFT_CT_*
  std::optional<std::uint8_t> direction;  ///< IP_CT_DIR_ORIGINAL, IP_CT_DIR_REPLY
  Register destination;
};

struct CtSet {
  std::uint32_t key = 0;
  std::optional<std::uint8_t> direction;
  Register source;
};

/// "bitwise" over `length` bytes.
struct Bitwise {
  /// NFT_BITWISE_BOOL 0: destination = (source & mask) ^ xor_value. NFT_BITWISE_LSHIFT 1, NFT_BITWISE_RSHIFT 2: by
  /// `shift` bits, over big-endian 32-bit words in the host's order as the kernel does it. NFT_BITWISE_AND 3, _OR 4,
  /// _XOR 5 (Linux 6.13): with `second_source`, or with `mask` as the operand where that is absent.
  std::uint32_t operation = 0;
  Register source;
  Register destination;
  std::optional<Register> second_source;
  std::uint32_t length = 0;
  std::uint32_t shift = 0;
  Value mask;
  Value xor_value;
};

struct ByteOrder {
  std::uint32_t operation = 0;  ///< NFT_BYTEORDER_NTOH, NFT_BYTEORDER_HTON
  Register source;
  Register destination;
  std::uint32_t length = 0;  ///< of the whole value, in bytes
  std::uint32_t size = 0;    ///< of each number in it: 2, 4 or 8
};

/// "numgen": a running or a random number.
struct NumberGenerator {
  std::uint32_t type = 0;  ///< NFT_NG_INCREMENTAL, NFT_NG_RANDOM
  std::uint32_t modulus = 0;
  std::uint32_t offset = 0;
  Register destination;
};

struct Hash {
  std::uint32_t type = 0;  ///< NFT_HASH_JENKINS, NFT_HASH_SYM
  Register source;
  Register destination;
  std::uint32_t length = 0;
  std::uint32_t modulus = 0;
  std::uint32_t seed = 0;
  std::uint32_t offset = 0;
};

/// "fib": asks the routing table.
struct Fib {
  std::uint32_t result = 0;  ///< NFT_FIB_RESULT_OIF, _OIFNAME, _ADDRTYPE
  std::uint32_t flags = 0;   ///< NFTA_FIB_F_*
  Register destination;
};

struct RouteLoad {
  std::uint32_t key = 0;  ///< NFT_RT_*
  Register destination;
};

/// "exthdr": an IPv6 extension header, a TCP option, an IPv4 option.
struct ExtensionHeader {
  std::uint32_t operation = 0;  ///< NFT_EXTHDR_OP_*
  std::uint32_t type = 0;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  std::uint32_t flags = 0;              ///< NFT_EXTHDR_F_PRESENT: only whether it is there, as one byte
  std::optional<Register> destination;  ///< absent: the packet is changed, from `source` or by removing the option
  std::optional<Register> source;
};

/// "socket": the local socket that the packet belongs to. Does not match where there is none.
struct SocketLoad {
  std::uint32_t key = 0;  ///< NFT_SOCKET_*
  std::uint32_t level = 0;
  Register destination;
};

struct OsFingerprint {
  Register destination;
};

struct TunnelLoad {
  std::uint32_t key = 0;
  std::uint32_t mode = 0;
  Register destination;
};

struct XfrmLoad {
  std::uint32_t key = 0;
  std::uint32_t direction = 0;
  std::uint32_t policy_number = 0;
  Register destination;
};

/// "inner": an expression over the packet inside a tunnel's packet. What it loads is not a fact of the outer packet.
struct Inner {
  std::uint32_t type = 0;
  std::string expression;  ///< "payload" or "meta"
};

// --- comparing -----------------------------------------------------------------------------------------------------

/// "cmp": memcmp over the value's length.
struct Compare {
  std::uint32_t operation = 0;  ///< NFT_CMP_EQ, _NEQ, _LT, _LTE, _GT, _GTE
  Register source;
  Value value;
};

/// "range": memcmp, both ends included.
struct Range {
  std::uint32_t operation = 0;  ///< NFT_RANGE_EQ, NFT_RANGE_NEQ
  Register source;
  Value from;
  Value to;
};

/// "lookup": matches when the key is in the set (not in it: `inverted`). A map gives the element's data to
/// `destination`, a verdict map gives it to the verdict register.
struct Lookup {
  std::string set;
  Register source;
  std::optional<Register> destination;
  bool verdict = false;
  bool inverted = false;
};

/// "connlimit": matches while no more than `count` connections have reached it (`inverted`: once more have).
struct ConnectionLimit {
  std::uint32_t count = 0;
  bool inverted = false;
};

/// "dynset": adds to, updates or deletes from a set as the packet passes.
struct DynamicSet {
  std::string set;
  std::uint32_t operation = 0;  ///< NFT_DYNSET_OP_*
  Register key;
  std::optional<Register> data;
  bool inverted = false;
  std::uint32_t timeout_seconds = 0;  ///< rounded up; 0: the set's own
  // In this order: as the largest of the expressions it is what each of them takes.
  std::optional<ConnectionLimit> connection_limit = {};  ///< of a "connlimit" among `expressions`
  /// Names of what each element carries; a "limit", a "quota" or a "connlimit" decides the match. The kernel does not
  /// tell them where the set itself says what its elements carry.
  std::vector<std::string> expressions;
};

struct Limit {
  std::uint64_t rate = 0;
  std::uint64_t unit_seconds = 0;
  std::uint32_t burst = 0;
  std::uint32_t type = 0;  ///< NFT_LIMIT_PKTS, NFT_LIMIT_PKT_BYTES
  bool inverted = false;
};

struct Quota {
  std::uint64_t bytes = 0;
  std::uint64_t consumed = 0;
  bool inverted = false;
};

// --- acting --------------------------------------------------------------------------------------------------------

struct Log {
  std::string prefix;
  std::optional<std::uint32_t> level;
  std::optional<std::uint16_t> group;
  std::uint32_t flags = 0;
};

/// "last": remembers when it was last reached.
struct Last {};

/// The packet is not tracked from here on, if it has no entry yet.
struct Notrack {};

/// Drops and answers.
struct Reject {
  std::uint32_t type = 0;  ///< NFT_REJECT_ICMP_UNREACH, NFT_REJECT_TCP_RST, NFT_REJECT_ICMPX_UNREACH
  std::uint8_t icmp_code = 0;
};

struct Queue {
  std::uint16_t number = 0;
  std::uint16_t total = 0;
  std::uint16_t flags = 0;                ///< NFT_QUEUE_FLAG_BYPASS: accept where nobody listens
  std::optional<Register> number_source;  ///< the queue's number comes from this register
};

struct Nat {
  std::uint32_t type = 0;    ///< NFT_NAT_SNAT, NFT_NAT_DNAT
  std::uint32_t family = 0;  ///< NFPROTO_IPV4, NFPROTO_IPV6
  std::optional<Register> address_min;
  std::optional<Register> address_max;
  std::optional<Register> port_min;
  std::optional<Register> port_max;
  std::uint32_t flags = 0;  ///< NF_NAT_RANGE_*
};

struct Masquerade {
  std::uint32_t flags = 0;
  std::optional<Register> port_min;
  std::optional<Register> port_max;
};

struct Redirect {
  std::uint32_t flags = 0;
  std::optional<Register> port_min;
  std::optional<Register> port_max;
};

struct Tproxy {
  std::uint32_t family = 0;
  std::optional<Register> address;
  std::optional<Register> port;
};

struct Synproxy {
  std::uint16_t mss = 0;
  std::uint8_t window_scale = 0;
  std::uint32_t flags = 0;
};

/// A copy of the packet goes elsewhere; the packet itself goes on.
struct Duplicate {
  std::optional<Register> address;
  std::optional<Register> device;
};

/// netdev only: the packet leaves through another device and is seen here no more (NF_STOLEN).
struct Forward {
  std::optional<Register> device;
  std::optional<Register> address;
};

/// "flow_offload": hands an established connection to a flowtable.
struct FlowOffload {
  std::string flowtable;
};

/// "objref": a named object of the table, such as `counter name x`.
struct ObjectReference {
  std::uint32_t type = 0;  ///< NFT_OBJECT_COUNTER, _QUOTA, _CT_HELPER, _LIMIT, _CONNLIMIT, _SECMARK, _SYNPROXY...
  std::string name;
};

/// "objref" through a map from key to object; does not match where the key is missing.
struct ObjectMapReference {
  std::string set;
  Register source;
};

// --- x_tables ------------------------------------------------------------------------------------------------------

/// The fixed part of a legacy rule (ipt_ip, ip6t_ip6): addresses, interfaces, protocol. A wildcard is a mask of zeros.
/// Rules whose fixed part matches everything have none.
struct IpHeaderMatch {
  /// In network order; IPv4 uses the first 4 bytes. Matches when (packet & mask) == address.
  using Address = std::array<std::byte, 16>;
  /// IFNAMSIZ bytes. Matches when the device's name and `name` are equal in the bytes that the mask covers: 3 for
  /// "eth+", whatever `name` has behind them.
  struct Interface {
    std::array<char, 16> name = {};
    std::array<unsigned char, 16> mask = {};
    bool operator==(const Interface&) const = default;
  };
  bool ipv6 = false;
  Address source = {};
  Address source_mask = {};
  Address destination = {};
  Address destination_mask = {};
  Interface in;
  Interface out;
  std::uint16_t protocol = 0;  ///< 0 is any. IPv6: compared only where IP6T_F_PROTO is set
  std::uint8_t type_of_service = 0;
  std::uint8_t flags = 0;          ///< IPT_F_FRAG, IPT_F_GOTO; IP6T_F_PROTO, IP6T_F_TOS, IP6T_F_GOTO
  std::uint8_t inverse_flags = 0;  ///< IPT_INV_*, IP6T_INV_* (same values)
  bool operator==(const IpHeaderMatch&) const = default;
};

/// A match extension of x_tables, in a legacy rule or inside nftables (nft_compat). Undecoded: `info` is the
/// extension's own structure in the host's byte order, the way xt_*.h of that revision lays it out.
struct XtMatch {
  std::string name;
  std::uint32_t revision = 0;
  Value info;
};

/// A target extension ("REJECT", "LOG", "DNAT", "MARK"...). Standard verdicts are VerdictStatement.
struct XtTarget {
  std::string name;
  std::uint32_t revision = 0;
  Value info;
};

// --- the rest ------------------------------------------------------------------------------------------------------

/// An expression that this version does not know, or that the kernel sent in a shape it does not understand. It may
/// match or not, write any register and give any verdict.
struct UnknownExpression {
  std::string name;    ///< as the kernel calls it, bounded
  std::string reason;  ///< "not known to this version", "attribute missing"
};

/// What one step of a rule can be. IpHeaderMatch is shared because it is by far the largest; it is never null.
using ExpressionKinds =
    std::variant<Immediate, VerdictStatement, PayloadLoad, PayloadWrite, MetaLoad, MetaSet, CtLoad, CtSet, Bitwise,
                 ByteOrder, NumberGenerator, Hash, Fib, RouteLoad, ExtensionHeader, SocketLoad, OsFingerprint,
                 TunnelLoad, XfrmLoad, Inner, Compare, Range, Lookup, DynamicSet, Limit, Quota, ConnectionLimit,
                 Counter, Log, Last, Notrack, Reject, Queue, Nat, Masquerade, Redirect, Tproxy, Synproxy, Duplicate,
                 Forward, FlowOffload, ObjectReference, ObjectMapReference, std::shared_ptr<const IpHeaderMatch>,
                 XtMatch, XtTarget, UnknownExpression>;

/// One step of a rule. A type of its own so that what copies, moves and ends so many alternatives is compiled once, in
/// expression.cc, and not in every file that holds a rule: that was a tenth of the build.
struct Expression : ExpressionKinds {
  using ExpressionKinds::ExpressionKinds;
  Expression();
  Expression(const Expression& other);
  Expression(Expression&& other) noexcept;
  Expression& operator=(const Expression& other);
  Expression& operator=(Expression&& other) noexcept;
  ~Expression();
};

}  // namespace finwait::firewall
