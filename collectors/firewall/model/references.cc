#include "collectors/firewall/model/references.h"

#include <memory>
#include <variant>

#include "collectors/base/one_of.h"

namespace finwait::firewall {
namespace {

// An expression of a new type belongs to one of these functions: without one the visit does not compile.
class Visitor {
 public:
  explicit Visitor(const std::function<void(const Reference&)>& visit) : visit_(visit) {}

  void operator()(const VerdictStatement& statement) const {
    if (!statement.verdict.chain.empty()) {
      visit_({Reference::Kind::kChain, statement.verdict.chain});
    }
  }
  void operator()(const Lookup& lookup) const {
    visit_({lookup.verdict ? Reference::Kind::kVerdictMap : Reference::Kind::kSet, lookup.set});
  }
  void operator()(const DynamicSet& dynamic) const { visit_({Reference::Kind::kSet, dynamic.set}); }
  void operator()(const ObjectMapReference& map) const { visit_({Reference::Kind::kSet, map.set}); }
  void operator()(const ObjectReference& reference) const {
    visit_({Reference::Kind::kObject, reference.name, reference.type});
  }

  // Flowtables and what x_tables' extensions name (ipsets, accounting objects) are no part of the model.
  template <OneOf<Immediate, PayloadLoad, PayloadWrite, MetaLoad, MetaSet, CtLoad, CtSet, Bitwise, ByteOrder,
                  NumberGenerator, Hash, Fib, RouteLoad, ExtensionHeader, SocketLoad, OsFingerprint, TunnelLoad,
                  XfrmLoad, Inner, Compare, Range, Limit, Quota, ConnectionLimit, Counter, Log, Last, Notrack, Reject,
                  Queue, Nat, Masquerade, Redirect, Tproxy, Synproxy, Duplicate, Forward, FlowOffload,
                  std::shared_ptr<const IpHeaderMatch>, XtMatch, XtTarget, UnknownExpression>
                T>
  void operator()(const T&) const {}

 private:
  const std::function<void(const Reference&)>& visit_;
};

}  // namespace

void ForEachReference(const Expression& expression, const std::function<void(const Reference&)>& visit) {
  std::visit(Visitor(visit), expression);
}

void ForEachJump(const Table& table, const Rule& rule, const std::function<void(const std::string&)>& visit) {
  for (const Expression& expression : rule.expressions) {
    ForEachReference(expression, [&](const Reference& reference) {
      if (reference.kind == Reference::Kind::kChain) {
        visit(reference.name);
      }
      const Set* set = reference.kind == Reference::Kind::kVerdictMap ? FindSet(table, reference.name) : nullptr;
      if (set == nullptr) {
        return;
      }
      for (const SetElement& element : set->elements) {
        const auto* verdict = std::get_if<Verdict>(&element.data);
        if (verdict != nullptr && !verdict->chain.empty()) {
          visit(verdict->chain);
        }
      }
    });
  }
}

}  // namespace finwait::firewall
