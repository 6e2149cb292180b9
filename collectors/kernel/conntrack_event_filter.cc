#include "collectors/kernel/conntrack_event_filter.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "collectors/kernel/conntrack_state.h"
#include "collectors/kernel/netlink/request.h"

namespace finwait::kernel {
namespace {

// The places of the program that it jumps to.
enum Label { kAccept, kReject, kLive, kUntold, kLabels };

// Writes a program front to back; a jump may name a label whose place comes later. "A" is the machine's accumulator.
class FilterWriter {
 public:
  // A becomes the 16 bits at `offset`, as if they were big-endian.
  void LoadHalf(std::uint32_t offset) { Put(BPF_LD | BPF_H | BPF_ABS, offset); }

  // A becomes the offset of the message's attribute `type`, 0 where there is none.
  void Find(std::uint32_t type) {
    Put(BPF_LD | BPF_IMM, NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(nfgenmsg)));
    Search(SKF_AD_NLATTR, type);
  }

  // A becomes the first byte of the attribute that a path of nested attributes leads to; goes to `missing` where one of
  // them is not there.
  void LoadByte(std::uint32_t outer, std::uint32_t middle, std::uint32_t inner, Label missing) {
    Find(outer);
    GoIfEqual(0, missing);
    Search(SKF_AD_NLATTR_NEST, middle);
    GoIfEqual(0, missing);
    Search(SKF_AD_NLATTR_NEST, inner);
    GoIfEqual(0, missing);
    Put(BPF_MISC | BPF_TAX, 0);
    Put(BPF_LD | BPF_B | BPF_IND, NLA_HDRLEN);
  }

  void GoIfEqual(std::uint32_t value, Label label) { Jump(value, label, true); }
  void GoUnlessEqual(std::uint32_t value, Label label) { Jump(value, label, false); }
  void Go(Label label) {
    // A comparison both of whose outcomes lead there; BPF's own unconditional jump counts differently.
    Jump(0, label, true);
    jumps_.push_back({program_.size() - 1, label, false});
  }
  void Place(Label label) { places_[label] = program_.size(); }

  // The program's end, which a message that no jump has taken elsewhere is rejected by.
  std::vector<sock_filter> Finish() {
    Place(kReject);
    Put(BPF_RET | BPF_K, 0);
    Place(kAccept);
    Put(BPF_RET | BPF_K, 0xffffffff);  // all of the message
    for (const auto& [at, label, if_equal] : jumps_) {
      const auto distance = static_cast<std::uint8_t>(places_[label] - at - 1);
      (if_equal ? program_[at].jt : program_[at].jf) = distance;
    }
    return std::move(program_);
  }

 private:
  struct PendingJump {
    std::size_t at;
    Label label;
    bool if_equal;
  };
  void Put(int code, std::uint32_t operand) { program_.push_back({static_cast<std::uint16_t>(code), 0, 0, operand}); }
  void Search(int how, std::uint32_t type) {
    Put(BPF_LDX | BPF_IMM, type);
    Put(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + how));
  }
  void Jump(std::uint32_t value, Label label, bool if_equal) {
    jumps_.push_back({program_.size(), label, if_equal});
    Put(BPF_JMP | BPF_JEQ | BPF_K, value);
  }

  std::vector<sock_filter> program_;
  std::vector<PendingJump> jumps_;
  std::array<std::size_t, kLabels> places_ = {};
};

}  // namespace

std::vector<sock_filter> LiveExpiryFilter() {
  FilterWriter filter;
  // nlmsg_type is in the host's byte order, which the load takes for big-endian.
  filter.LoadHalf(offsetof(nlmsghdr, nlmsg_type));
  filter.GoUnlessEqual(htons(netlink::NetfilterType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE)), kReject);
  // The state first: a busy host's entries end in TIME_WAIT and CLOSE, and this is all that they meet.
  filter.LoadByte(CTA_PROTOINFO, CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE, kUntold);
  for (const ConntrackTcpState state : kLiveConntrackStates) {
    filter.GoIfEqual(static_cast<std::uint32_t>(state), kLive);
  }
  filter.Go(kReject);
  // An entry that had time left was deleted; one that timed out has none to tell.
  filter.Place(kLive);
  filter.Find(CTA_TIMEOUT);
  filter.GoIfEqual(0, kAccept);
  filter.Go(kReject);
  // Another protocol, or a kernel that does not tell.
  filter.Place(kUntold);
  filter.LoadByte(CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_NUM, kReject);
  filter.GoIfEqual(IPPROTO_TCP, kAccept);
  return filter.Finish();
}

std::vector<sock_filter> SampleFilter(std::uint32_t one_in) {
  return {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM)),
          BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, one_in), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
          BPF_STMT(BPF_RET | BPF_K, 0xffffffff), BPF_STMT(BPF_RET | BPF_K, 0)};
}

}  // namespace finwait::kernel
