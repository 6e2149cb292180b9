// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// Counts the entries of the conntrack table of one network namespace without copying them out: the loader runs `walk`
// for some chains of the hash at a time (BPF_PROG_TEST_RUN). As lookups in the kernel do, it reads chains without a
// lock and trusts one only if it ends in its own marker (hlist_nulls). What it has counted is told if all chains of a
// run did, else nothing is: so no other memory can be read by it, wherever it is sent.
//
// The table's address is nobody's to read (/proc/kallsyms takes CAP_SYSLOG). `learn`, at the tracepoint net_dev_queue,
// has it from the first packet with an entry: its chain ends in the number of its bucket, and begins in the table.
#include "kernel_types.bpf.h"
#include <bpf/bpf_tracing.h>

#include "table_record.h"

struct nsproxy {
  struct net *net_ns;
} CORE;
struct task_struct {
  struct nsproxy *nsproxy;
} CORE;
struct sk_buff {
  unsigned long _nfct;
} CORE;
struct timespec64 {
  long long tv_sec;
} CORE;

enum {
  PROTO_ICMP = 1,
  PROTO_TCP = 6,
  PROTO_UDP = 17,
  PROTO_ICMPV6 = 58,
  FAMILY_IPV4 = 2,
  FAMILY_IPV6 = 10,
  STATUS_ASSURED = 1 << 2,
  STATUS_CONFIRMED = 1 << 3,
  STATUS_OFFLOAD = 1 << 14,
  NFCT_INFO = 7,
  LONGEST_CHAIN = 64, /* of those that the table's place is learned from */
  MOST_STEPS = 1 << 16
};

// Set before loading, constant from then on. Offsets are of the running kernel (its BTF, or its module's).
const volatile finwait_u32 tuplehash;  // in struct nf_conn: the first of two, that of the original direction
const volatile finwait_u32 net_of;     // ct_net, a pointer
const volatile finwait_u32 timeout_of, status_of, state_of;  // in struct nf_conn
const volatile finwait_u32 zone_of;                          // 0: this kernel has no zones
const volatile finwait_u32 family_of, protocol_of, direction_of;  // in struct nf_conntrack_tuple_hash
const volatile finwait_u32 ticks_a_second;
const volatile finwait_u32 network_namespace;
const volatile finwait_u8 has_rdonly_cast;  // plain loads (Linux 6.2), else a helper for each

struct finwait_walk wanted;
struct finwait_table told;  // of FINWAIT_WALK_TOLD
finwait_u32 outcome;

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_RDONLY);
  __type(key, finwait_u32);
  __type(value, struct finwait_places);
} places SEC(".maps");

// What is counted, until it is known to be true: the process that asks cannot read it.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_WRONLY);
  __type(key, finwait_u32);
  __type(value, struct finwait_table);
} counting SEC(".maps");

extern void *bpf_rdonly_cast(const void *object, finwait_u32 btf_id) __ksym __weak;

// The eight bytes at an address. As a member that is a number: a pointer's would come back typed, and have no bits.
static __always_inline finwait_u64 load(finwait_u64 address) {
  if (has_rdonly_cast) {
    struct timespec64 *words = bpf_rdonly_cast((void *)address, bpf_core_type_id_kernel(struct timespec64));
    return words->tv_sec;
  }
  finwait_u64 word = 0;
  bpf_probe_read_kernel(&word, sizeof(word), (void *)address);
  return word;
}
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error a member is cut out of the eight bytes that it is in as a little-endian machine does
#endif
#define LOAD(base, offset, mask) ((load((base) + ((offset) & ~7u)) >> (((offset) & 7) * 8)) & (mask))

static __always_inline void age(struct finwait_ages *ages, finwait_u64 seconds) {
  const finwait_u64 bounds[] = FINWAIT_AGE_BOUNDS;
  finwait_u64 bin = 0;
#pragma unroll
  for (int i = 0; i < FINWAIT_AGES - 1; i++) {
    bin += (bounds[i] - seconds) >> 63;  // 1 where it is beyond; a comparison would be a path more for the verifier
  }
  ages->counts[bin % FINWAIT_AGES]++;
  ages->sum += seconds;
}

static __always_inline void note_zone(struct finwait_table *table, finwait_u32 zone) {
  for (int i = 0; i < FINWAIT_TABLE_ZONES; i++) {
    if (table->zones[i] == zone) {
      return;
    }
    if (table->zones[i] == 0) {
      table->zones[i] = zone;
      table->zone_count = i + 1;
      return;
    }
  }
  table->zone_count = FINWAIT_TABLE_ZONES + 1;
}

// A function of its own for the verifier, which then looks at it once. `kind`: protocol, TCP state, address family and
// zone, 16 bits each.
__attribute__((noinline)) int count(finwait_u32 timeout, finwait_u32 now, finwait_u64 kind, finwait_u64 status) {
  finwait_u32 zero = 0;
  struct finwait_table *table = bpf_map_lookup_elem(&counting, &zero);
  if (!table) {
    return 0;
  }
  table->seen++;
  const int left = (int)(timeout - now);
  if (left <= 0) {
    return 0;
  }
  const finwait_u32 protocol = kind & 0xffff, family = (kind >> 32) & 0xffff, zone = kind >> 48;
  finwait_u64 state = (kind >> 16) & 0xffff;
  asm volatile("" : "+r"(state));  // else its bounds are asked of `kind`, and the verifier knows none of it
  if (family != FAMILY_IPV4 && family != FAMILY_IPV6) {
    return 0;
  }
  if (zone != 0) {
    note_zone(table, zone);
  }
  const finwait_u32 version = family == FAMILY_IPV6;
  if (!(status & STATUS_ASSURED)) {
    table->evictable++;
  }
  if (protocol == PROTO_UDP) {
    table->udp[version]++;
  } else if (protocol == PROTO_ICMP || protocol == PROTO_ICMPV6) {
    table->icmp[version]++;
  } else if (protocol != PROTO_TCP) {
    table->other[version]++;
  } else if (!(status & STATUS_OFFLOAD) && state < FINWAIT_TCP_STATES) {  // of what is offloaded ctnetlink tells neither
    table->tcp[version][state]++;
    // TCP_CONNTRACK_ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK
    const finwait_u32 live = state == 3 ? 0 : state == 5 ? 1 : state == 4 ? 2 : state == 6 ? 3 : FINWAIT_LIVE_STATES;
    if (live < FINWAIT_LIVE_STATES) {
      const finwait_u32 seconds = (finwait_u32)left / ticks_a_second, whole = wanted.timeouts[live];
      age(&table->remaining[live], seconds);
      age(&table->idle[live], whole > seconds ? whole - seconds : 0);
    }
  }
  return 0;
}

struct lane {
  finwait_u64 at;  // an entry's list node, or the marker that ended the chain of `bucket`
  finwait_u32 bucket, end;
};
struct walk {
  finwait_u64 begin;  // of the table
  finwait_u64 net;
  finwait_u64 foreign;
  finwait_u32 now, lanes, torn;
  struct lane lane[FINWAIT_LANES];
};

static __always_inline void step_in(struct walk *walk, const int which) {
  struct lane *lane = &walk->lane[which];
  finwait_u64 at = lane->at;
  if (at & 1) {
    if (lane->bucket == lane->end) {
      return;
    }
    if ((at >> 1) != lane->bucket) {
      walk->torn = 1;
      return;
    }
    lane->bucket++;
    if (lane->bucket == lane->end) {
      walk->lanes--;
      return;
    }
    at = load(walk->begin + 8ull * lane->bucket);
    lane->at = at;
    if (at & 1) {
      return;
    }
  }
  if (at == 0) {  // no list ends so: what is there cannot be read, or is no table
    walk->torn = 1;
    return;
  }
  lane->at = load(at);
  if (LOAD(at, direction_of, 0xff) != 0) {
    return;
  }
  const finwait_u64 entry = at - tuplehash;
  if (load(entry + net_of) != walk->net) {
    walk->foreign++;
    return;
  }
  const finwait_u64 kind = LOAD(at, protocol_of, 0xff) | LOAD(entry, state_of, 0xff) << 16 |
                           LOAD(at, family_of, 0xffff) << 32 | (zone_of ? LOAD(entry, zone_of, 0xffff) << 48 : 0);
  count(LOAD(entry, timeout_of, 0xffffffff), walk->now, kind, load(entry + status_of));
}

static long step(finwait_u32 i, void *context) {
  struct walk *walk = context;
  step_in(walk, 0);
  step_in(walk, 1);
  step_in(walk, 2);
  step_in(walk, 3);
  return walk->torn || walk->lanes == 0;
}

SEC("raw_tp")
int walk_table(void *context) {
  finwait_u32 zero = 0;
  struct finwait_table *table = bpf_map_lookup_elem(&counting, &zero);
  const struct finwait_places *known = bpf_map_lookup_elem(&places, &zero);
  const finwait_u32 candidate = wanted.candidate;
  outcome = FINWAIT_WALK_NO_PLACE;
  if (!table || !known || candidate >= FINWAIT_CANDIDATES || candidate >= known->count) {
    return 0;
  }
  struct walk walk = {};
  walk.begin = known->addresses[candidate] - 8ull * known->bucket;
  struct task_struct *task = (void *)bpf_get_current_task();
  struct net *net = BPF_CORE_READ(task, nsproxy, net_ns);
  outcome = FINWAIT_WALK_ELSEWHERE;
  if (BPF_CORE_READ(net, ns.inum) != network_namespace) {
    return 0;
  }
  walk.net = (finwait_u64)net;
  walk.now = (finwait_u32)bpf_jiffies64();
  walk.lanes = FINWAIT_LANES;
#pragma unroll
  for (int i = 0; i < FINWAIT_LANES; i++) {
    const finwait_u32 begin = wanted.first + (finwait_u64)wanted.count * i / FINWAIT_LANES - 1;
    walk.lane[i].bucket = begin;
    walk.lane[i].end = wanted.first + (finwait_u64)wanted.count * (i + 1) / FINWAIT_LANES;
    walk.lane[i].at = ((finwait_u64)begin << 1) | 1;  // as if the chain before had just ended
  }
  __builtin_memset(table, 0, sizeof(*table));
  bpf_loop(MOST_STEPS, step, &walk, 0);
  outcome = walk.torn ? FINWAIT_WALK_TORN : walk.lanes != 0 ? FINWAIT_WALK_TOO_LONG : FINWAIT_WALK_TOLD;
  if (outcome == FINWAIT_WALK_TOLD) {
    table->foreign = walk.foreign;
    __builtin_memcpy(&told, table, sizeof(told));
  }
  return 0;
}

SEC("raw_tp")
int forget_places(void *context) {
  finwait_u32 zero = 0;
  bpf_map_delete_elem(&places, &zero);
  return 0;
}

static __always_inline finwait_u64 read(finwait_u64 address) {
  finwait_u64 word = 0;
  bpf_probe_read_kernel(&word, sizeof(word), (void *)address);
  return word;
}

SEC("raw_tp/net_dev_queue")
int learn(struct bpf_raw_tracepoint_args *context) {
  finwait_u32 zero = 0;
  struct sk_buff *packet = (void *)context->args[0];
  const finwait_u64 entry = BPF_CORE_READ(packet, _nfct) & ~(finwait_u64)NFCT_INFO;
  if (!entry || bpf_map_lookup_elem(&places, &zero) || !(read(entry + status_of) & STATUS_CONFIRMED)) {
    return 0;
  }
  finwait_u64 at = entry + tuplehash;
  for (int i = 0; i < LONGEST_CHAIN && at && !(at & 1); i++) {
    at = read(at);
  }
  if (!(at & 1)) {
    return 0;
  }
  struct finwait_places found = {};
  found.bucket = at >> 1;
  at = entry + tuplehash;
  // Each node points to what points to it (pprev): to the node before, whose first member that is, or into the table.
  for (int i = 0; i < FINWAIT_CANDIDATES; i++) {
    at = read(at + 8);
    if (!at || (at & 7)) {
      break;
    }
    found.addresses[i] = at;
    found.count = i + 1;
  }
  bpf_map_update_elem(&places, &zero, &found, BPF_NOEXIST);
  return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
