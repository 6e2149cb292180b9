#ifndef FINWAIT_WITNESS_EVENT_H
#define FINWAIT_WITNESS_EVENT_H

/* What the BPF program tells of one dropped packet; it is C. NOLINTBEGIN(readability-identifier-naming,modernize-*) */

#ifdef __cplusplus
#include <cstdint>
typedef std::uint8_t finwait_u8;
typedef std::uint16_t finwait_u16;
typedef std::uint32_t finwait_u32;
typedef std::uint64_t finwait_u64;
#else
typedef unsigned char finwait_u8;
typedef unsigned short finwait_u16;
typedef unsigned int finwait_u32;
typedef unsigned long long finwait_u64;
#endif

enum {
  FINWAIT_PACKETS = 2, /* 0: FIN, 1: RST */
  FINWAIT_PLACES = 3,  /* 0: local, 1: forwarded, 2: it came in, and no route had been looked up yet */
  FINWAIT_CLASSES = 6, /* of reasons: collectors/witness/drop.h */
  FINWAIT_REASONS = 256,
  FINWAIT_SYMBOL = 48
};

struct finwait_event {
  finwait_u64 at;     /* CLOCK_MONOTONIC, in nanoseconds */
  finwait_u64 cookie; /* of the socket; 0: there is none, or nobody has asked for it yet */
  finwait_u64 cgroup; /* v2, of the socket; 0: not known */
  finwait_u8 source[16];
  finwait_u8 destination[16];
  finwait_u16 source_port; /* in the host's byte order, both */
  finwait_u16 destination_port;
  finwait_u32 mark;
  finwait_u32 reason; /* enum skb_drop_reason of this kernel */
  finwait_u8 ipv6;    /* 0: IPv4, in the first four bytes of the addresses */
  finwait_u8 packet;
  finwait_u8 place;
  finwait_u8 reason_class; /* counted from 1 */
  finwait_u8 incoming;     /* it had come in by a device */
  finwait_u8 tracked;      /* 0: no entry, 1: untracked by a rule, 2: an entry */
  finwait_u8 connected;    /* it is of a connection that has a socket here; no answer to what there is no socket for */
  finwait_u8 unused[1];
  char symbol[FINWAIT_SYMBOL]; /* the function of the kernel that dropped it */
};

struct finwait_counts {
  finwait_u64 packets[FINWAIT_PACKETS][FINWAIT_PLACES][FINWAIT_CLASSES];
  finwait_u64 not_told; /* counted above, and no event of its own: beyond the budget, or no room */
};

#endif /* NOLINTEND(readability-identifier-naming,modernize-*) */
