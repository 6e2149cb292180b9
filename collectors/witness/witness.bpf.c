// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// Counts TCP packets with FIN or RST that this kernel drops, and tells of each: attached to the tracepoint
// skb:kfree_skb (Linux 5.17 and newer give it a reason).
#include "kernel_types.bpf.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "event.h"

typedef struct {
  long long counter;
} CORE atomic64_t;
typedef struct {
  struct net *net;
} CORE possible_net_t;
struct in6_addr {
  finwait_u8 bytes[16];
};
struct sock_common {
  finwait_u32 skc_daddr;
  finwait_u32 skc_rcv_saddr;
  finwait_u16 skc_dport;
  finwait_u16 skc_num;
  finwait_u16 skc_family;
  volatile finwait_u8 skc_state;
  possible_net_t skc_net;
  struct in6_addr skc_v6_daddr;
  struct in6_addr skc_v6_rcv_saddr;
  atomic64_t skc_cookie;
} CORE;
struct kernfs_node {
  finwait_u64 id;
} CORE;
struct cgroup {
  struct kernfs_node *kn;
} CORE;
struct sock_cgroup_data {
  struct cgroup *cgroup;
} CORE;
struct sock {
  struct sock_common __sk_common;
  finwait_u16 sk_protocol;
  struct sock_cgroup_data sk_cgrp_data;
} CORE;
struct net_device {
  possible_net_t nd_net;
} CORE;
struct dst_entry {
  struct net_device *dev;
  unsigned short flags;
} CORE;
struct rtable {
  finwait_u16 rt_type;
} CORE;
struct rt6_info {
  finwait_u32 rt6i_flags;
} CORE;
struct sk_buff {
  struct net_device *dev;
  struct sock *sk;
  unsigned long _skb_refdst;
  unsigned long _nfct;
  int skb_iif;
  finwait_u32 mark;
  finwait_u16 protocol;
  finwait_u16 transport_header;
  finwait_u16 network_header;
  unsigned char *head;
} CORE;

enum {
  IPV4 = 0x0800,
  IPV6 = 0x86dd,
  TCP = 6,
  HOP_BY_HOP = 0,
  DESTINATION_OPTIONS = 60,
  ROUTING = 43,
  AF_INET = 2,
  AF_INET6 = 10,
  TIME_WAIT = 6,
  NEW_SYN_RECV = 12,
  FLAG_FIN = 0x01,
  FLAG_RST = 0x04,
  RTN_LOCAL = 2,
  RTF_LOCAL = 0x80000000,
  DST_METADATA = 0x80,
  NFCT_INFO = 7,
  IP_CT_UNTRACKED = 7,
  NOT_SPECIFIED = 255, /* a mark of ours in `classes` */
  CLASS_ROUTE = 2,
  CLASS_BPF = 5,
  NOT_SET = 0xffff
};

// Set before loading, constant from then on.
const volatile finwait_u8 classes[FINWAIT_REASONS];  // by reason: its class from 1, 0 not counted, or NOT_SPECIFIED
const volatile finwait_u32 network_namespace;        // the only one whose packets count
const volatile finwait_u32 most_events_a_second;

struct finwait_counts counts;
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 256 * 1024);
} events SEC(".maps");

// What dropped packets without a reason: its class, or 0, by the place in the kernel's code.
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 256);
  __type(key, finwait_u64);
  __type(value, finwait_u8);
} unspecified SEC(".maps");

// Of the second that events are counted in.
finwait_u64 second;
finwait_u64 events_in_second;

struct packet {
  struct sock *sk;  // only a whole one
  finwait_u32 transport;
  finwait_u8 ipv6;
  finwait_u8 headless;  // it died before it had an IP header
  finwait_u8 flags;
  finwait_u8 incoming;  // it has come in by a device
};

static __always_inline struct sock *whole_socket(struct sk_buff *skb) {
  struct sock *sk = BPF_CORE_READ(skb, sk);
  if (!sk) {
    return 0;
  }
  const finwait_u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);
  return state == TIME_WAIT || state == NEW_SYN_RECV ? 0 : sk;
}

// Where the TCP header is, from the start of the buffer; 0 for what is no TCP.
static __always_inline finwait_u32 find_ipv6_transport(unsigned char *head, finwait_u32 at) {
  finwait_u8 next = 0;
  bpf_probe_read_kernel(&next, 1, head + at + 6);
  at += 40;
#pragma unroll
  for (int i = 0; i < 3; ++i) {
    if (next == TCP) {
      return at;
    }
    if (next != HOP_BY_HOP && next != DESTINATION_OPTIONS && next != ROUTING) {
      return 0;
    }
    finwait_u8 option[2] = {};
    bpf_probe_read_kernel(option, 2, head + at);
    next = option[0];
    at += (option[1] + 1) * 8;
  }
  return next == TCP ? at : 0;
}

static __always_inline int find_tcp(struct sk_buff *skb, struct packet *found) {
  unsigned char *head = BPF_CORE_READ(skb, head);
  const finwait_u16 protocol = bpf_ntohs(BPF_CORE_READ(skb, protocol));
  const finwait_u16 network = BPF_CORE_READ(skb, network_header);
  struct sock *sk = whole_socket(skb);
  found->sk = sk;
  if (protocol == 0) {
    // TCP has made its header, and IP none: no route.
    if (!sk || BPF_CORE_READ(sk, sk_protocol) != TCP) {
      return 0;
    }
    found->headless = 1;
    found->ipv6 = BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6 &&
                  BPF_CORE_READ(sk, __sk_common.skc_daddr) == 0;
    found->transport = BPF_CORE_READ(skb, transport_header);
  } else if (network == NOT_SET || network == 0) {
    return 0;
  } else if (protocol == IPV4) {
    finwait_u8 ip[10] = {};
    bpf_probe_read_kernel(ip, sizeof(ip), head + network);
    // A fragment that is not the first has no TCP header.
    if (ip[9] != TCP || ip[0] >> 4 != 4 || ((ip[6] & 0x1f) | ip[7])) {
      return 0;
    }
    found->transport = network + (ip[0] & 0xf) * 4;
  } else if (protocol == IPV6) {
    found->ipv6 = 1;
    found->transport = find_ipv6_transport(head, network);
  }
  if (found->transport == 0 || found->transport == NOT_SET) {
    return 0;
  }
  bpf_probe_read_kernel(&found->flags, 1, head + found->transport + 13);
  return found->flags & (FLAG_FIN | FLAG_RST);
}

static __always_inline struct dst_entry *route_of(struct sk_buff *skb) {
  struct dst_entry *dst = (struct dst_entry *)(BPF_CORE_READ(skb, _skb_refdst) & ~1UL);
  return dst && !(BPF_CORE_READ(dst, flags) & DST_METADATA) ? dst : 0;
}

// Where the packet is. One that comes in by a veth still has the socket of the namespace that sent it, and no route any
// more. One that waited, a reset for which there is no socket, has that of the first namespace, and its route. Neither is
// a socket of this namespace's.
static __always_inline finwait_u32 namespace_of(struct sk_buff *skb, struct packet *packet, struct dst_entry *route) {
  struct sock *sk = packet->sk;
  const finwait_u32 of_socket = sk ? BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) : 0;
  struct net_device *device = packet->headless ? 0 : BPF_CORE_READ(skb, dev);
  packet->incoming = BPF_CORE_READ(skb, skb_iif) != 0;
  if (!device && of_socket) {
    return of_socket;
  }
  if (!device && route) {
    device = BPF_CORE_READ(route, dev);
  }
  const finwait_u32 here = device ? BPF_CORE_READ(device, nd_net.net, ns.inum) : 0;
  if (sk && of_socket != here) {
    packet->sk = 0;
    packet->incoming |= !route;
  }
  return here;
}

static __always_inline finwait_u8 place_of(const struct packet *packet, struct dst_entry *route) {
  if (packet->sk || !packet->incoming) {
    return 0;
  }
  if (!route) {
    return 2;
  }
  return packet->ipv6 ? !(BPF_CORE_READ((struct rt6_info *)route, rt6i_flags) & RTF_LOCAL)
                      : BPF_CORE_READ((struct rtable *)route, rt_type) != RTN_LOCAL;
}

#define START(name) (*(const finwait_u64 *)(name))

// The class of what has no reason: generic XDP gives none, nor does a neighbour of IPv6's that does not answer. The kernel names its own functions, so nobody needs to be
// shown its addresses (kernel.kptr_restrict).
static __always_inline finwait_u8 class_by_code(void *location) {
  const finwait_u64 key = (finwait_u64)location;
  const finwait_u8 *known = bpf_map_lookup_elem(&unspecified, &key);
  if (known) {
    return *known;
  }
  char name[32] __attribute__((aligned(8))) = {};
  finwait_u64 arguments[] = {key};
  bpf_snprintf(name, sizeof(name), "%ps", arguments, sizeof(arguments));
  // The first eight letters tell them apart.
  const finwait_u64 start = *(const finwait_u64 *)name;
  finwait_u8 found = 0;
  if (start == START("do_xdp_generic") || start == START("netif_receive_generic_xdp") ||
      start == START("bpf_prog_run_generic_xdp")) {
    found = CLASS_BPF;
  } else if (start == START("ndisc_error_report") || start == START("neigh_invalidate") ||
             start == START("dst_discard_out") || start == START("dst_discard")) {
    found = CLASS_ROUTE;
  }
  bpf_map_update_elem(&unspecified, &key, &found, BPF_ANY);
  return found;
}

static __always_inline int may_tell(void) {
  const finwait_u64 now = bpf_ktime_get_ns() / 1000000000;
  if (now != second) {  // two CPUs may both begin it: a few events more
    second = now;
    events_in_second = 0;
  }
  return __sync_fetch_and_add(&events_in_second, 1) < most_events_a_second;
}

static __always_inline void read_ends(struct sk_buff *skb, const struct packet *packet, struct finwait_event *event) {
  unsigned char *head = BPF_CORE_READ(skb, head);
  finwait_u16 ports[2] = {};
  bpf_probe_read_kernel(ports, sizeof(ports), head + packet->transport);
  event->source_port = bpf_ntohs(ports[0]);
  event->destination_port = bpf_ntohs(ports[1]);
  if (packet->headless) {
    struct sock *sk = packet->sk;
    if (packet->ipv6) {
      BPF_CORE_READ_INTO(&event->source, sk, __sk_common.skc_v6_rcv_saddr);
      BPF_CORE_READ_INTO(&event->destination, sk, __sk_common.skc_v6_daddr);
    } else {
      const finwait_u32 source = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
      const finwait_u32 destination = BPF_CORE_READ(sk, __sk_common.skc_daddr);
      __builtin_memcpy(event->source, &source, 4);
      __builtin_memcpy(event->destination, &destination, 4);
    }
    return;
  }
  const finwait_u16 network = BPF_CORE_READ(skb, network_header);
  if (packet->ipv6) {
    bpf_probe_read_kernel(event->source, 16, head + network + 8);
    bpf_probe_read_kernel(event->destination, 16, head + network + 24);
  } else {
    bpf_probe_read_kernel(event->source, 4, head + network + 12);
    bpf_probe_read_kernel(event->destination, 4, head + network + 16);
  }
}

static __always_inline finwait_u8 tracking_of(struct sk_buff *skb) {
  const unsigned long nfct = BPF_CORE_READ(skb, _nfct);
  return nfct == 0 ? 0 : (nfct & NFCT_INFO) == IP_CT_UNTRACKED ? 1 : 2;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(witness_drop, struct sk_buff *skb, void *location, unsigned int reason) {
  if (reason >= FINWAIT_REASONS) {
    return 0;  // of a subsystem (wireless, Open vSwitch): no TCP packet of this host's is there
  }
  finwait_u8 reason_class = classes[reason];
  if (reason_class == 0) {
    return 0;
  }
  struct packet packet = {};
  if (!find_tcp(skb, &packet)) {
    return 0;
  }
  if (reason_class == NOT_SPECIFIED) {
    reason_class = packet.headless ? CLASS_ROUTE : class_by_code(location);
    if (reason_class == 0) {
      return 0;
    }
  }
  struct dst_entry *route = packet.headless ? 0 : route_of(skb);
  if (namespace_of(skb, &packet, route) != network_namespace) {
    return 0;
  }
  const finwait_u8 kind = packet.flags & FLAG_RST ? 1 : 0;
  const finwait_u8 place = place_of(&packet, route);
  finwait_u32 index = (finwait_u32)reason_class - 1;
  asm volatile("" : "+r"(index));  // the verifier has to see the comparison of this very number
  if (index >= FINWAIT_CLASSES || place >= FINWAIT_PLACES) {
    return 0;
  }
  __sync_fetch_and_add(&counts.packets[kind & 1][place][index], 1);

  struct finwait_event *event = may_tell() ? bpf_ringbuf_reserve(&events, sizeof(*event), 0) : 0;
  if (!event) {
    __sync_fetch_and_add(&counts.not_told, 1);
    return 0;
  }
  __builtin_memset(event, 0, sizeof(*event));
  event->at = bpf_ktime_get_ns();
  event->reason = reason;
  event->reason_class = reason_class;
  event->packet = kind;
  event->place = place;
  event->ipv6 = packet.ipv6;
  event->incoming = packet.incoming;
  event->mark = BPF_CORE_READ(skb, mark);
  event->tracked = tracking_of(skb);
  struct sock *sk = packet.sk;
  if (sk) {
    // An answer for which there is no socket is of one that the kernel keeps for such, connected to nobody.
    event->connected = BPF_CORE_READ(sk, __sk_common.skc_dport) != 0;
    event->cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
    if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) {
      event->cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup, kn, id);
    }
  }
  read_ends(skb, &packet, event);
  finwait_u64 arguments[] = {(finwait_u64)location};
  bpf_snprintf(event->symbol, sizeof(event->symbol), "%ps", arguments, sizeof(arguments));
  bpf_ringbuf_submit(event, 0);
  return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
