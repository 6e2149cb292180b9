#ifndef FINWAIT_WITNESS_NETFILTER_RECORD_H
#define FINWAIT_WITNESS_NETFILTER_RECORD_H

/* What the BPF program tells of one link into netfilter; it is C.
 * NOLINTBEGIN(readability-identifier-naming,modernize-*) */

struct finwait_netfilter_record {
  unsigned int network_namespace; /* the inode of its file */
  unsigned int family;            /* NFPROTO_* */
  unsigned int hook;              /* NF_INET_* */
  unsigned int program;           /* its number */
  char name[16];
};

#endif /* NOLINTEND(readability-identifier-naming,modernize-*) */
