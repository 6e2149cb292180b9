#include "collectors/kernel/traffic_filters.h"

#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_connmark.h>
#include <linux/tc_act/tc_csum.h>
#include <linux/tc_act/tc_ctinfo.h>
#include <linux/tc_act/tc_defact.h>
#include <linux/tc_act/tc_gact.h>
#include <linux/tc_act/tc_ife.h>
#include <linux/tc_act/tc_mirred.h>
#include <linux/tc_act/tc_mpls.h>
#include <linux/tc_act/tc_pedit.h>
#include <linux/tc_act/tc_sample.h>
#include <linux/tc_act/tc_skbedit.h>
#include <linux/tc_act/tc_skbmod.h>
#include <linux/tc_act/tc_tunnel_key.h>
#include <linux/tc_act/tc_vlan.h>

#include <arpa/inet.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace finwait::kernel {
namespace {

using netlink::Attribute;
using netlink::ForEachAttribute;

constexpr std::uint32_t kRoot = 0;  // of a request: the qdisc that sends
constexpr std::uint32_t kIngress = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
constexpr std::uint32_t kEgress = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS);

// Where a kind of filter has its actions, by the kernel's enum for it; nothing for one that is not known.
std::optional<std::uint16_t> ActionsOf(std::string_view kind) {
  static constexpr std::pair<std::string_view, std::uint16_t> kKinds[] = {
      {"basic", TCA_BASIC_ACT},       {"bpf", TCA_BPF_ACT},       {"cgroup", TCA_CGROUP_ACT},
      {"flow", TCA_FLOW_ACT},         {"flower", TCA_FLOWER_ACT}, {"fw", TCA_FW_ACT},
      {"matchall", TCA_MATCHALL_ACT}, {"route", TCA_ROUTE4_ACT},  {"u32", TCA_U32_ACT}};
  const auto found =
      std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& each) { return each.first == kind; });
  return found != std::end(kKinds) ? std::optional(found->second) : std::nullopt;
}

// What the parameters of every kind of action begin with. tc_gen: `action` says what comes after it.
struct ActionParameters {
  tc_gen;
};

// Where a kind of action has its parameters, of those that lose no packet unless that says so; nothing for others.
std::optional<std::uint16_t> ParametersOf(std::string_view kind) {
  static constexpr std::pair<std::string_view, std::uint16_t> kKinds[] = {{"connmark", TCA_CONNMARK_PARMS},
                                                                          {"csum", TCA_CSUM_PARMS},
                                                                          {"ctinfo", TCA_CTINFO_ACT},
                                                                          {"gact", TCA_GACT_PARMS},
                                                                          {"ife", TCA_IFE_PARMS},
                                                                          {"mirred", TCA_MIRRED_PARMS},
                                                                          {"mpls", TCA_MPLS_PARMS},
                                                                          {"pedit", TCA_PEDIT_PARMS},
                                                                          {"sample", TCA_SAMPLE_PARMS},
                                                                          {"simple", TCA_DEF_PARMS},
                                                                          {"skbedit", TCA_SKBEDIT_PARMS},
                                                                          {"skbmod", TCA_SKBMOD_PARMS},
                                                                          {"tunnel_key", TCA_TUNNEL_KEY_PARMS},
                                                                          {"vlan", TCA_VLAN_PARMS}};
  const auto found =
      std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& each) { return each.first == kind; });
  return found != std::end(kKinds) ? std::optional(found->second) : std::nullopt;
}

bool Loses(int action) {
  return action == TC_ACT_SHOT || action == TC_ACT_STOLEN || action == TC_ACT_QUEUED || action == TC_ACT_TRAP;
}

// A copy is no loss, nor is the detour over an ifb, behind which packets go on where they were.
bool LeadsElsewhere(const Attribute& parameters, const Links& links) {
  const auto mirred = parameters.Read<tc_mirred>();
  if (!mirred || mirred->eaction == TCA_EGRESS_MIRROR || mirred->eaction == TCA_INGRESS_MIRROR) {
    return !mirred || Loses(mirred->action);
  }
  const Link* const target = links.Find(mirred->ifindex);
  return target == nullptr || target->kind != "ifb";
}

// One action: whether packets that come to it may go no further. What a rate limit (police) drops now and then, the
// next try gets past.
bool MayDrop(netlink::Bytes action, const Links& links) {
  std::string_view kind;
  netlink::Bytes options;
  ForEachAttribute(action, [&](const Attribute& attribute) {
    if (attribute.Type() == TCA_ACT_KIND) {
      kind = attribute.Text();
    } else if (attribute.Type() == TCA_ACT_OPTIONS) {
      options = attribute.Payload();
    }
  });
  if (kind == "police") {
    return false;
  }
  const std::optional<std::uint16_t> parameters = ParametersOf(kind);
  if (!parameters) {
    return true;
  }
  std::optional<bool> drops;
  ForEachAttribute(options, [&](const Attribute& attribute) {
    const bool of_pedit = kind == "pedit" && attribute.Type() == TCA_PEDIT_PARMS_EX;
    if (kind == "gact" && attribute.Type() == TCA_GACT_PROB) {
      drops = true;
    } else if (attribute.Type() != parameters && !of_pedit) {
      return;
    } else if (kind == "mirred") {
      drops = drops.value_or(false) || LeadsElsewhere(attribute, links);
    } else {
      const auto read = attribute.Read<ActionParameters>();
      drops = drops.value_or(false) || !read || Loses(read->action);
    }
  });
  return drops.value_or(true);
}

// Nothing for one that lets packets pass, and for the head of a list of filters, which has no options.
std::optional<TrafficFilter> Decode(const netlink::Message& message, const Links& links) {
  const auto header = message.Header<tcmsg>();
  std::string_view kind;
  std::optional<netlink::Bytes> options;
  ForEachAttribute(message.Attributes<tcmsg>(), [&](const Attribute& attribute) {
    if (attribute.Type() == TCA_KIND) {
      kind = attribute.Text();
    } else if (attribute.Type() == TCA_OPTIONS) {
      options = attribute.Payload();
    }
  });
  if (!header || !options) {
    return std::nullopt;
  }
  TrafficFilter filter;
  filter.protocol = ntohs(static_cast<std::uint16_t>(TC_H_MIN(header->tcm_info)));
  filter.name = kind;
  const std::optional<std::uint16_t> actions = ActionsOf(kind);
  const bool is_bpf = kind == "bpf";
  bool may_drop = !actions;
  ForEachAttribute(*options, [&](const Attribute& attribute) {
    if (attribute.Type() == actions) {
      ForEachAttribute(attribute.Payload(),
                       [&](const Attribute& action) { may_drop = may_drop || MayDrop(action.Payload(), links); });
    } else if (is_bpf && attribute.Type() == TCA_BPF_FLAGS) {
      may_drop = may_drop || (attribute.U32().value_or(0) & TCA_BPF_FLAG_ACT_DIRECT) != 0;
    } else if (is_bpf && attribute.Type() == TCA_BPF_NAME) {
      filter.name = attribute.Text();
    } else if (is_bpf && attribute.Type() == TCA_BPF_ID) {
      filter.program = attribute.U32().value_or(0);
    }
  });
  return may_drop ? std::optional(std::move(filter)) : std::nullopt;
}

// The devices that have a place for filters before and behind the queue (clsact), or before it alone (ingress).
Result<std::map<std::uint32_t, bool>> ReadPlaces(netlink::Channel& channel, Deadline deadline) {
  std::map<std::uint32_t, bool> places;
  netlink::FunctionSink sink([&] { places.clear(); },
                             [&](const netlink::Message& message) -> Result<void> {
                               const auto header = message.Header<tcmsg>();
                               ForEachAttribute(message.Attributes<tcmsg>(), [&](const Attribute& attribute) {
                                 if (header && attribute.Type() == TCA_KIND &&
                                     (attribute.Text() == "clsact" || attribute.Text() == "ingress")) {
                                   places[static_cast<std::uint32_t>(header->tcm_ifindex)] =
                                       attribute.Text() == "clsact";
                                 }
                               });
                               return {};
                             });
  auto dumped = channel.Dump(std::move(netlink::Request(RTM_GETQDISC).Header(tcmsg{})), "list queueing disciplines",
                             deadline, sink);
  return dumped ? Result<std::map<std::uint32_t, bool>>(std::move(places)) : Failure(dumped.error());
}

// Those that filters cannot be added to.
bool TakesNoFilters(std::string_view qdisc) {
  static constexpr std::string_view kQdiscs[] = {"", "noqueue", "noop", "pfifo_fast", "pfifo", "bfifo", "fq", "mq"};
  return std::find(std::begin(kQdiscs), std::end(kQdiscs), qdisc) != std::end(kQdiscs);
}

}  // namespace

Result<std::vector<TrafficFilter>> ReadTrafficFilters(netlink::Channel& channel, const Links& links,
                                                      Deadline deadline) {
  auto places = ReadPlaces(channel, deadline);
  if (!places) {
    return Failure(places.error());
  }
  std::vector<TrafficFilter> filters;
  const auto read = [&](std::uint32_t device, std::uint32_t parent) -> Result<void> {
    const std::size_t before = filters.size();
    netlink::FunctionSink sink([&] { filters.resize(before); },
                               [&](const netlink::Message& message) -> Result<void> {
                                 if (auto filter = Decode(message, links)) {
                                   filter->device = device;
                                   filter->outgoing = parent != kIngress;
                                   filters.push_back(std::move(*filter));
                                 }
                                 return {};
                               });
    tcmsg header = {};
    header.tcm_ifindex = static_cast<int>(device);
    header.tcm_parent = parent;
    auto dumped =
        channel.Dump(std::move(netlink::Request(RTM_GETTFILTER).Header(header)), "list filters of tc", deadline, sink);
    return dumped ? Result<void>() : Failure(dumped.error());
  };
  for (const Link& link : links.All()) {
    const auto place = places->find(link.index);
    auto outcome = place != places->end() ? read(link.index, kIngress) : Result<void>();
    if (outcome && place != places->end() && place->second) {
      outcome = read(link.index, kEgress);
    }
    if (outcome && !TakesNoFilters(link.qdisc)) {
      outcome = read(link.index, kRoot);
    }
    if (!outcome) {
      return Failure(outcome.error());
    }
  }
  return filters;
}

}  // namespace finwait::kernel
