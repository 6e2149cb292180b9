// -m bpf: a program of classic BPF over the packet, run with all ways that it may take. A program of eBPF, given by
// file or by path, is nobody's to read.
#include <linux/filter.h>
#include <linux/netfilter/xt_bpf.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "collectors/firewall/xt/packet_words.h"
#include "collectors/firewall/xt/registry.h"

namespace finwait::firewall::xt {
namespace bpf {
namespace {

using Program = std::vector<sock_filter>;

std::optional<Program> DecodeProgram(const XtMatch& match) {
  const auto cut = [](const sock_filter(&code)[XT_BPF_MAX_NUM_INSTR], std::uint16_t size) {
    return Program(std::begin(code), std::begin(code) + std::min<std::size_t>(size, XT_BPF_MAX_NUM_INSTR));
  };
  if (match.revision == 0) {
    const auto info = ReadAs<xt_bpf_info>(match.info);
    return info ? std::optional(cut(info->bpf_program, info->bpf_program_num_elem)) : std::nullopt;
  }
  const auto info = ReadAs<xt_bpf_info_v1>(match.info);
  return info && info->mode == XT_BPF_MODE_BYTECODE ? std::optional(cut(info->bpf_program, info->bpf_program_num_elem))
                                                    : std::nullopt;
}

// The machine at one instruction; jumps go forward only, so that every run ends.
struct State {
  std::size_t next = 0;
  AbstractWord a;
  AbstractWord x;
  std::array<AbstractWord, BPF_MEMWORDS> memory = {};
};

class Runner {
 public:
  Runner(const Program& program, const Packet& packet) : program_(program), packet_(packet) {}

  // Whether the program gives anything but 0.
  Tristate Run() {
    State start;
    start.a = start.x = AbstractWord::Known(0);
    waiting_ = {start};
    constexpr int kMostSteps = 4096;
    for (int steps = 0; !waiting_.empty(); ++steps) {
      if (steps == kMostSteps || (matches_ && misses_)) {
        return Tristate::kUnknown;
      }
      State state = waiting_.back();
      waiting_.pop_back();
      Step(state);
    }
    return matches_ == misses_ ? Tristate::kUnknown : TristateOf(matches_);
  }

 private:
  void End(const AbstractWord& result) {
    const Tristate nothing = result.IsBetween(0, 0);
    misses_ = misses_ || nothing != Tristate::kNo;
    matches_ = matches_ || nothing != Tristate::kYes;
  }

  // A load from the packet; beyond its end the program gives 0.
  bool Load(std::uint64_t offset, std::size_t size, AbstractWord* to) {
    const Tristate there = IsAsLongAs(packet_, offset + size);
    misses_ = misses_ || there != Tristate::kYes;
    *to = WordAt(packet_, offset, size);
    return there != Tristate::kNo;
  }

  static std::size_t SizeOf(std::uint16_t code) {
    return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
  }

  bool LoadInto(const sock_filter& each, const State& state, AbstractWord* to) {
    constexpr std::uint32_t kSpecial = 0x80000000U;  // SKF_NET_OFF, SKF_LL_OFF, SKF_AD_OFF
    switch (BPF_MODE(each.code)) {
      case BPF_IMM:
        *to = AbstractWord::Known(each.k);
        return true;
      case BPF_MEM:
        *to = state.memory[each.k % BPF_MEMWORDS];
        return true;
      case BPF_LEN: {
        const IntervalSet lengths = packet_.Domain(Field::kPacketLength);
        const auto& only = lengths.Intervals().front();
        const bool known = lengths.Intervals().size() == 1 && only.first == only.last;
        *to = known ? AbstractWord::Known(static_cast<std::uint32_t>(only.first)) : AbstractWord();
        return true;
      }
      case BPF_ABS:
      case BPF_IND: {
        const bool indirect = BPF_MODE(each.code) == BPF_IND;
        if (each.k >= kSpecial || (indirect && !state.x.IsKnown())) {
          misses_ = matches_ = true;
          return false;
        }
        return Load(std::uint64_t{each.k} + (indirect ? state.x.value : 0), SizeOf(each.code), to);
      }
      case BPF_MSH:  // the length of an IP header
        if (!Load(each.k, 1, to)) {
          return false;
        }
        *to = to->And(0xf).Left(2);
        return true;
      default:
        misses_ = matches_ = true;
        return false;
    }
  }

  static AbstractWord Compute(std::uint16_t operation, const AbstractWord& a, const AbstractWord& b) {
    if (operation == BPF_AND && b.IsKnown()) {
      return a.And(b.value);
    }
    if (operation == BPF_LSH && b.IsKnown() && b.value < 32) {
      return a.Left(b.value);
    }
    if (operation == BPF_RSH && b.IsKnown() && b.value < 32) {
      return a.Right(b.value);
    }
    if (!a.IsKnown() || (!b.IsKnown() && operation != BPF_NEG)) {
      return {};
    }
    switch (operation) {
      case BPF_ADD:
        return AbstractWord::Known(a.value + b.value);
      case BPF_SUB:
        return AbstractWord::Known(a.value - b.value);
      case BPF_MUL:
        return AbstractWord::Known(a.value * b.value);
      case BPF_DIV:
        return b.value != 0 ? AbstractWord::Known(a.value / b.value) : AbstractWord();
      case BPF_MOD:
        return b.value != 0 ? AbstractWord::Known(a.value % b.value) : AbstractWord();
      case BPF_OR:
        return AbstractWord::Known(a.value | b.value);
      case BPF_XOR:
        return AbstractWord::Known(a.value ^ b.value);
      case BPF_NEG:
        return AbstractWord::Known(0U - a.value);
      default:
        return {};
    }
  }

  static Tristate Compare(std::uint16_t operation, const AbstractWord& a, const AbstractWord& b) {
    if (!b.IsKnown()) {
      return Tristate::kUnknown;
    }
    switch (operation) {
      case BPF_JEQ:
        return a.IsBetween(b.value, b.value);
      case BPF_JGT:
        return b.value == UINT32_MAX ? Tristate::kNo : a.IsBetween(b.value + 1, UINT32_MAX);
      case BPF_JGE:
        return a.IsBetween(b.value, UINT32_MAX);
      case BPF_JSET: {
        const AbstractWord both = a.And(b.value);
        return packet::Not(both.IsBetween(0, 0));
      }
      default:
        return Tristate::kUnknown;
    }
  }

  void Step(State state) {
    if (state.next >= program_.size()) {
      misses_ = matches_ = true;
      return;
    }
    const sock_filter& each = program_[state.next++];
    const AbstractWord operand = BPF_SRC(each.code) == BPF_X ? state.x : AbstractWord::Known(each.k);
    switch (BPF_CLASS(each.code)) {
      case BPF_LD:
      case BPF_LDX:
        if (!LoadInto(each, state, BPF_CLASS(each.code) == BPF_LD ? &state.a : &state.x)) {
          return;
        }
        break;
      case BPF_ST:
        state.memory[each.k % BPF_MEMWORDS] = state.a;
        break;
      case BPF_STX:
        state.memory[each.k % BPF_MEMWORDS] = state.x;
        break;
      case BPF_ALU:
        state.a = Compute(BPF_OP(each.code), state.a, operand);
        break;
      case BPF_JMP: {
        if (BPF_OP(each.code) == BPF_JA) {
          state.next += each.k;
          break;
        }
        const Tristate holds = Compare(BPF_OP(each.code), state.a, operand);
        State other = state;
        other.next += each.jf;
        state.next += each.jt;
        if (holds != Tristate::kYes) {
          waiting_.push_back(other);
        }
        if (holds == Tristate::kNo) {
          return;
        }
        break;
      }
      case BPF_RET:
        End(BPF_RVAL(each.code) == BPF_A ? state.a : operand);
        return;
      case BPF_MISC:
        (BPF_MISCOP(each.code) == BPF_TAX ? state.x : state.a) = BPF_MISCOP(each.code) == BPF_TAX ? state.a : state.x;
        break;
    }
    waiting_.push_back(state);
  }

  const Program& program_;
  const Packet& packet_;
  std::vector<State> waiting_;
  bool matches_ = false;  // some way gives more than 0
  bool misses_ = false;   // some way gives 0
};

Conditions Meaning(const XtMatch& match, const Packet& packet, const HookContext&, FactLookup&) {
  const auto program = DecodeProgram(match);
  return {Condition::Of(program ? Runner(*program, packet).Run() : Tristate::kUnknown, "a BPF program")};
}

constexpr Match kMatches[] = {{.name = "bpf", .revisions = {0, 1}, .traits = {}, .conditions = Meaning}};

}  // namespace
}  // namespace bpf

Family families::Bpf() { return {.matches = bpf::kMatches}; }

}  // namespace finwait::firewall::xt
