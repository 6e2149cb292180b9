#ifndef FINWAIT_WITNESS_TABLE_RECORD_H
#define FINWAIT_WITNESS_TABLE_RECORD_H

/* What the BPF program that walks the conntrack table is told, and what it tells; it is C.
 * NOLINTBEGIN(readability-identifier-naming,modernize-*) */

#include "collectors/witness/event.h"

enum {
  FINWAIT_TCP_STATES = 10, /* enum tcp_conntrack */
  FINWAIT_LIVE_STATES = 4, /* of these, those whose ages are told: established, close_wait, fin_wait, last_ack */
  FINWAIT_AGES = 8,
  FINWAIT_TABLE_ZONES = 16,
  FINWAIT_LANES = 4 /* chains that are walked at once, so that the waits for memory overlap */
};
/* The upper bounds of ages, in seconds; one more is open. */
#define FINWAIT_AGE_BOUNDS \
  { 15, 60, 300, 1800, 7200, 86400, 432000 }

struct finwait_ages {
  finwait_u64 counts[FINWAIT_AGES];
  finwait_u64 sum; /* seconds */
};

/* Entries of one network namespace, in some chains of the table or in all. */
struct finwait_table {
  finwait_u64 seen;    /* with those that have expired and are still there */
  finwait_u64 foreign; /* of other namespaces */
  finwait_u64 evictable;
  finwait_u64 tcp[2][FINWAIT_TCP_STATES]; /* by IP version: IPv4 first */
  finwait_u64 udp[2];
  finwait_u64 icmp[2];
  finwait_u64 other[2];
  struct finwait_ages idle[FINWAIT_LIVE_STATES];
  struct finwait_ages remaining[FINWAIT_LIVE_STATES];
  finwait_u64 zones[FINWAIT_TABLE_ZONES]; /* that entries are in, but 0 */
  finwait_u64 zone_count;                 /* FINWAIT_TABLE_ZONES + 1: more than there is room for */
};

/* Which chains to walk, and by which timeouts to tell the ages. */
struct finwait_walk {
  finwait_u32 candidate; /* which of the places where the table may begin (struct finwait_places) */
  finwait_u32 first;
  finwait_u32 count;
  finwait_u32 timeouts[FINWAIT_LIVE_STATES]; /* in seconds */
};

enum finwait_walk_outcome {
  FINWAIT_WALK_TOLD,
  FINWAIT_WALK_NO_PLACE, /* no packet with an entry has been seen yet, or there is no such candidate */
  FINWAIT_WALK_TORN,     /* a chain did not end in its own marker */
  FINWAIT_WALK_TOO_LONG, /* more steps than allowed */
  FINWAIT_WALK_ELSEWHERE /* the process that asks is in another network namespace */
};

/* Where the table may begin, by what one entry shows: it is in the chain of `bucket`, and the chain's first pointer is
 * at one of `addresses`. */
enum { FINWAIT_CANDIDATES = 24 };
struct finwait_places {
  finwait_u32 bucket;
  finwait_u32 count;
  finwait_u64 addresses[FINWAIT_CANDIDATES];
};

#endif /* NOLINTEND(readability-identifier-naming,modernize-*) */
