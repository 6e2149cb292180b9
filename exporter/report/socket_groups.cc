#include "exporter/report/socket_groups.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "exporter/report/report_text.h"

namespace finwait::report {

std::vector<SocketGroup> GroupStuckSockets(const std::vector<diagnosis::StuckSocket>& sockets) {
  std::set<Endpoint> peers;
  std::set<Endpoint> locals;
  for (const diagnosis::StuckSocket& one : sockets) {
    peers.insert(one.socket.peer);
    locals.insert(one.socket.local);
  }
  const bool at_peer = peers.size() <= locals.size();
  using Key = std::tuple<Endpoint, std::optional<diagnosis::Cause>, const diagnosis::DropSite*, bool, std::uint32_t,
                         kernel::namespaces::Owner>;
  std::map<Key, std::size_t> positions;
  std::vector<SocketGroup> groups;
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    const diagnosis::StuckSocket& one = sockets[i];
    const Endpoint& end = at_peer ? one.socket.peer : one.socket.local;
    const std::uint32_t uid = one.socket.orphan ? 0 : one.socket.uid;
    const auto [known, is_new] =
        positions.try_emplace(Key(end, one.cause, one.site.get(), one.socket.orphan, uid,
                                  one.owner != nullptr ? *one.owner : kernel::namespaces::Owner()),
                              groups.size());
    if (is_new) {
      groups.push_back({end, at_peer, one.cause, one.site, one.socket.orphan, uid, one.owner, 0, 0, 0, i});
    }
    SocketGroup& group = groups[known->second];
    ++group.sockets;
    group.oldest_seconds = std::max(group.oldest_seconds, one.age.count());
    group.most_tries = std::max(group.most_tries, one.socket.tries);
  }
  std::stable_sort(groups.begin(), groups.end(),
                   [](const SocketGroup& a, const SocketGroup& b) { return a.sockets > b.sockets; });
  return groups;
}

std::string OwnerText(const SocketGroup& group) {
  const std::string holder = HolderText(group.orphan, group.uid);
  return group.owner != nullptr ? holder + ", " + group.owner->Text() : holder;
}

}  // namespace finwait::report
