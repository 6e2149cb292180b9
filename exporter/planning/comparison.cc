#include "exporter/planning/comparison.h"

#include <algorithm>
#include <map>
#include <utility>

#include "exporter/report/class_text.h"

namespace finwait::planning {
namespace {

using firewall::classes::Leaf;
using firewall::eval::PathKind;
using firewall::packet::ConnectionClass;

ConnectionClass Both(ConnectionClass a, const ConnectionClass& b) {
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    a.values[i] = a.values[i].Intersection(b.values[i]);
    if (a.values[i].Empty()) {
      break;  // so is the whole
    }
  }
  return a;
}

template <typename T>
void SortByChange(std::vector<T>& changed) {
  std::stable_sort(changed.begin(), changed.end(), [](const T& a, const T& b) { return a.change < b.change; });
}

// The classes of one path of one family that change.
class ClassChanges {
 public:
  ClassChanges(PathKind path, const ConnectionClass& space) : path_(path), space_(space) {}

  void Compare(const HostResults& now, const HostResults& then) {
    for (const ResultClass& before : now.classes) {
      if (!IsHere(before)) {
        continue;
      }
      for (const ResultClass& after : then.classes) {
        if (IsHere(after) && ChangeBetween(before.close, after.close) != Change::kNone) {
          Add(before, after);
        }
      }
    }
  }

  void MoveTo(std::vector<ChangedClass>& changed) {
    firewall::classes::Merge(leaves_);
    for (Leaf& leaf : leaves_) {
      const auto& [now, then] = *pairs_[leaf.answer];
      ChangedClass one;
      one.family = space_.family;
      one.change = ChangeBetween(now, then);
      one.connections = report::ClassText(path_, leaf.of, space_);
      one.surveyed.path = path_;
      one.surveyed.connections = std::move(leaf.of);
      one.now = now;
      one.then = then;
      MakeExample(one.surveyed);
      changed.push_back(std::move(one));
    }
  }

 private:
  bool IsHere(const ResultClass& each) const { return each.path == path_ && each.connections.family == space_.family; }

  void Add(const ResultClass& before, const ResultClass& after) {
    ConnectionClass both = Both(before.connections, after.connections);
    if (both.Empty()) {
      return;
    }
    const auto [known, is_new] = numbers_.try_emplace({before.close, after.close}, pairs_.size());
    if (is_new) {
      pairs_.push_back(&known->first);
    }
    leaves_.push_back({std::move(both), known->second});
  }

  using Pair = std::pair<CloseResult, CloseResult>;
  PathKind path_;
  const ConnectionClass& space_;
  std::map<Pair, std::size_t> numbers_;
  std::vector<const Pair*> pairs_;  // of numbers_, whose keys stay where they are
  std::vector<Leaf> leaves_;
};

// Whether nothing is unknown of any class but whether its connections were translated.
bool OnlyTranslationUnknown(const HostResults& results) {
  return std::all_of(results.classes.begin(), results.classes.end(), [](const ResultClass& each) {
    return each.close.fate != diagnosis::Fate::kUnknown || HangsOnTranslation(each.close);
  });
}

// All that either says, but for what says of both that classes of unknown fate are undivided: where those hang on their
// translation alone, they are compared each by what it hangs on.
std::vector<std::string> Unlike(const HostResults& before, const HostResults& after) {
  const std::vector<std::string>& now = before.incomplete;
  const std::vector<std::string>& then = after.incomplete;
  const bool compared = OnlyTranslationUnknown(before) && OnlyTranslationUnknown(after);
  const auto has = [](const std::vector<std::string>& all, const std::string& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  };
  std::vector<std::string> said;
  for (const auto* all : {&now, &then}) {
    for (const std::string& why : *all) {
      const bool of_both = has(now, why) && has(then, why);
      if (!has(said, why) && !(of_both && compared && why.ends_with(diagnosis::kUndivided))) {
        said.push_back(why);
      }
    }
  }
  return said;
}

}  // namespace

bool Comparison::Has(Change change) const {
  const auto is = [&](const auto& each) { return each.change == change; };
  return std::any_of(connections.begin(), connections.end(), is) || std::any_of(classes.begin(), classes.end(), is);
}

Comparison Compare(const HostReport& host, const HostResults& then) {
  Comparison result;
  if (host.results.rules && host.results.rules == then.rules) {
    result.same_rules = true;
    result.connections_unchanged = host.facts.sockets.size();
    result.connections_unknown =
        static_cast<std::size_t>(std::count_if(then.sockets.begin(), then.sockets.end(), [](const CloseResult& each) {
          return each.fate == diagnosis::Fate::kUnknown;
        }));
    return result;
  }
  result.incomplete = Unlike(host.results, then);
  for (std::size_t i = 0; i < host.facts.sockets.size(); ++i) {
    const Change change = ChangeBetween(host.results.sockets[i], then.sockets[i]);
    if (change == Change::kNone) {
      ++result.connections_unchanged;
    } else {
      result.connections.push_back({&host.facts.sockets[i], change, host.results.sockets[i], then.sockets[i]});
    }
  }
  for (const IpFamily family : kIpFamilies) {
    const diagnosis::ConnectionSpace space = host.facts.Space(family);
    for (const diagnosis::SpacePart& part : space.parts) {
      ClassChanges changes(part.path, part.connections);
      changes.Compare(host.results, then);
      changes.MoveTo(result.classes);
    }
  }
  SortByChange(result.connections);
  SortByChange(result.classes);
  return result;
}

}  // namespace finwait::planning
