// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// Lists the BPF programs that are linked into netfilter's hooks, of all network namespaces: an iterator over BPF links
// (Linux 5.19; such links are there from 6.4 on). The kernel tells of a link's hook by other means, and of its
// namespace by none.
#include "kernel_types.bpf.h"
#include "netfilter_record.h"

struct nf_hook_ops {
  unsigned char pf;
  unsigned int hooknum;
} CORE;
struct bpf_prog_aux {
  unsigned int id;
  char name[16];
} CORE;
struct bpf_prog {
  struct bpf_prog_aux *aux;
} CORE;
struct bpf_link {
  enum bpf_link_type type;
  struct bpf_prog *prog;
} CORE;
struct bpf_nf_link {
  struct bpf_link link;
  struct nf_hook_ops hook_ops;
  struct net *net;
} CORE;
struct bpf_iter_meta {
  struct seq_file *seq;
};
struct bpf_iter__bpf_link {
  struct bpf_iter_meta *meta;
  struct bpf_link *link;
};

enum { NETFILTER_LINK = 10 };

SEC("iter/bpf_link")
int list_netfilter_links(struct bpf_iter__bpf_link *context) {
  struct bpf_link *link = context->link;
  if (!link || BPF_CORE_READ(link, type) != NETFILTER_LINK) {
    return 0;
  }
  struct bpf_nf_link *whole = (void *)link - bpf_core_field_offset(struct bpf_nf_link, link);
  struct finwait_netfilter_record record = {};
  record.network_namespace = BPF_CORE_READ(whole, net, ns.inum);
  record.family = BPF_CORE_READ(whole, hook_ops.pf);
  record.hook = BPF_CORE_READ(whole, hook_ops.hooknum);
  record.program = BPF_CORE_READ(link, prog, aux, id);
  struct bpf_prog_aux *aux = BPF_CORE_READ(link, prog, aux);
  BPF_CORE_READ_INTO(&record.name, aux, name);
  bpf_seq_write(context->meta->seq, &record, sizeof(record));
  return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
