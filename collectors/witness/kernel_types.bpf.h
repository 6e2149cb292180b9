// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

#ifndef FINWAIT_WITNESS_KERNEL_TYPES_BPF_H
#define FINWAIT_WITNESS_KERNEL_TYPES_BPF_H

/* What every BPF program here begins with; it is C. Types of the kernel's are written by hand, with the members that
 * are needed; where these are in the running kernel, the loader finds out from its BTF. */

// In this order: the others need the types of the first.
// clang-format off
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
// clang-format on

#define CORE __attribute__((preserve_access_index))

struct ns_common {
  unsigned int inum;
} CORE;
struct net {
  struct ns_common ns;
} CORE;

#endif
