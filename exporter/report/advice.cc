#include "exporter/report/advice.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "collectors/firewall/model/rule_id.h"
#include "exporter/report/remedy.h"
#include "exporter/report/report_text.h"

namespace finwait::report {
namespace {

using std::chrono::seconds;

// RFC 5382, REQ-5: the least time for which an established connection is to be remembered, 2 hours 4 minutes.
constexpr seconds kLeastEstablished{7440};
// Beyond the first keepalive: time for its repetitions (9 at 75 s would be 675 s; the RFC allows 4 minutes).
constexpr seconds kKeepaliveMargin{240};
// Places beyond these get advice when those with more sockets have been dealt with.
constexpr std::size_t kMostPlaces = 64;

std::optional<seconds> Timeout(const Situation& situation, sources::ConntrackTcpTimeout which) {
  return situation.sysctl ? situation.sysctl->Timeout(which) : std::nullopt;
}
std::optional<seconds> KeepaliveTime(const Situation& situation) {
  return situation.sysctl ? situation.sysctl->tcp_keepalive_time : std::nullopt;
}

std::string Setting(const std::string& name, seconds value) { return name + " = " + std::to_string(value.count()); }

// Long enough for RFC 5382 and for a keepalive at this host's default time.
seconds SufficientTimeout(const Situation& situation) {
  return std::max(kLeastEstablished, KeepaliveTime(situation).value_or(seconds(0)) + kKeepaliveMargin);
}

// In front of what.
std::string Before(const diagnosis::DropSite& site) {
  return (site.rule.IsPolicy() ? " before " : " before the rule in ") + Describe(site.rule);
}

// Where else than at `loss` the same sockets' packets have to pass: " and ... before ...", and the rules for it.
std::string AlsoBefore(const AffectedSite& loss, std::vector<Insertion>& insertions) {
  std::string text;
  for (const FurtherSite& further : loss.further) {
    insertions.push_back({&further.site, further.accepts});
    text += ", and " + std::string(further.accepts == Accepts::kReplies ? "TCP packets without SYN" : "FINs") +
            Before(further.site);
  }
  return text;
}

void FinishStuck(const AffectedSite& loss, std::vector<Statement>& out) {
  Statement one;
  one.id = loss.inbound ? "finish_stuck_replies" : "finish_stuck";
  std::vector<Insertion> insertions = {{&loss.site, loss.with_entry ? Accepts::kFins
                                                    : loss.inbound  ? Accepts::kReplies
                                                                    : Accepts::kInvalid}};
  one.text = "Now: let " + Counted(loss.stuck, "stuck socket", "stuck sockets") + " finish, on both ends. " +
             (loss.with_entry ? "The kernel goes on retrying the FIN: let FINs out"
              : loss.inbound  ? "The peer answers every retried FIN: let its answers in"
                              : "The kernel goes on retrying the FIN: let INVALID packets out") +
             Before(loss.site);
  one.text += AlsoBefore(loss, insertions) + (loss.further.empty() ? "" : ",") +
              " for a little longer than the longest wait between two tries.";
  one.command = TemporaryAcceptCommand(insertions);
  if (std::string plain = TemporaryAcceptCommand(insertions, AcceptFor::kAllConnections); plain != one.command) {
    one.plain_command = std::move(plain);
  }
  out.push_back(std::move(one));
}

// Where in its chain an accept for `site` stands: the lower serves what comes to the higher, too.
std::uint64_t HeightOf(const diagnosis::DropSite& site) {
  const bool at_the_end = site.rule.IsPolicy() && !site.returned_to;
  return at_the_end ? std::numeric_limits<std::uint64_t>::max() : site.position.value_or(0);
}

// The other hooks whose packets come through the chain of the rule: what is accepted there is accepted of them, too.
std::string SharedBy(const AffectedSite& loss) {
  std::string hooks;
  for (const firewall::Hook hook : loss.hooks) {
    if (hook != loss.site.hook) {
      hooks += (hooks.empty() ? "" : " and ") + std::string(Name(hook));
    }
  }
  return hooks.empty()
             ? ""
             : " Packets at " + hooks + " come through this chain, too: the same of them is accepted as well.";
}

// What is advised for good. One command that serves several places of a chain (in front of the first of them) is one
// piece of advice, which names them.
class ForGood {
 public:
  void Add(const AffectedSite& loss) {
    if (!loss.helps) {
      // The packets have no state there that one could ask for.
      Add("change_rule", "No accept of INVALID packets helps", loss,
          ": they are not INVALID there (NOTRACK, or a rule that gives them another state). The rule itself has to "
          "change.",
          std::nullopt);
    } else if (loss.with_entry) {
      Add("accept_fins", std::string("For good: let FINs ") + (loss.inbound ? "in" : "out"), loss,
          ". They die there whether conntrack has an entry for the connection or not. Where that is on purpose, to "
          "leak "
          "nothing, connections stick on purpose.",
          Accepts::kFins);
    } else if (loss.last_ack) {
      AddLastAck(loss);
    } else if (loss.inbound) {
      Add("accept_replies",
          std::string("For good: let peers' ") + (loss.peer_fin ? "FINs" : "answers") +
              " in. Accept TCP packets without SYN that are NEW or INVALID",
          loss, ". Without SYN they open nothing: only a socket that is there already can take them.",
          Accepts::kReplies);
    } else {
      Add("accept_closing", "For good: let closing packets out. Accept INVALID packets with FIN or RST", loss,
          "; they only end connections.", Accepts::kClosing);
    }
    if (loss.helps && !loss.with_entry && !loss.last_ack && loss.acks_too) {
      AddLastAck(loss);
    }
  }

  void Finish(std::vector<Statement>& out) {
    SortByHeight();
    for (const Piece& piece : pieces_) {
      std::string places;
      const std::size_t named = std::min(piece.before.size(), kMostNamed);
      for (std::size_t i = 0; i < named; ++i) {
        places += (i == 0 ? "" : ", and") + piece.before[i];
      }
      if (piece.before.size() > named) {
        places += ", and before " + Counted(piece.before.size() - named, "more rule", "more rules") + " there";
      }
      out.push_back({piece.head + places + piece.tail + piece.shared, "",
                     piece.accepts ? AcceptCommand(piece.site, *piece.accepts) : "", piece.id});
    }
  }

 private:
  static constexpr std::size_t kMostNamed = 4;

  struct Piece {
    std::string id;
    std::string head;
    std::vector<std::string> before;
    std::string tail;
    std::string shared;
    diagnosis::DropSite site;  // the first of them in its chain
    std::optional<Accepts> accepts;
  };

  // In the order in which the commands are given, none moves the rule that a later one of its chain stands before.
  void SortByHeight() {
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      for (std::size_t j = i + 1; j < pieces_.size(); ++j) {
        if (InOneChain(pieces_[i].site.rule, pieces_[j].site.rule) &&
            HeightOf(pieces_[i].site) < HeightOf(pieces_[j].site)) {
          std::swap(pieces_[i], pieces_[j]);
        }
      }
    }
  }

  void AddLastAck(const AffectedSite& loss) {
    Add("accept_acks",
        "For good: let this host's ACKs of peers' FINs out. Accept TCP packets without SYN that are NEW or INVALID",
        loss, "; without SYN they open nothing.", Accepts::kReplies);
  }

  void Add(std::string id, std::string head, const AffectedSite& loss, std::string tail,
           std::optional<Accepts> accepts) {
    const diagnosis::DropSite& site = loss.site;
    const auto same = std::find_if(pieces_.begin(), pieces_.end(), [&](const Piece& piece) {
      return accepts && piece.accepts == accepts && piece.head == head && InOneChain(piece.site.rule, site.rule);
    });
    if (same == pieces_.end()) {
      pieces_.push_back({std::move(id),
                         std::move(head),
                         {Before(site)},
                         std::move(tail),
                         accepts ? SharedBy(loss) : "",
                         site,
                         accepts});
      return;
    }
    same->before.push_back(Before(site));
    if (HeightOf(site) < HeightOf(same->site)) {
      same->site = site;
    }
  }

  std::vector<Piece> pieces_;
};

// What else the representative connection hangs on, once all that is advised is done.
void NotEnough(const Situation& situation, std::vector<Statement>& out) {
  if (!situation.losses.empty() && !situation.not_enough.empty()) {
    out.push_back(
        {"Whether connections then close cannot be known for all: it depends on " + situation.not_enough + ".", "", "",
         "not_enough"});
  }
}

// Connections for which no sysctl counts: which keepalive is soon enough, and what else can be changed.
void KeepThoseWithOwnTimeouts(const Situation& situation, std::vector<Statement>& out) {
  const auto shortest = situation.own_timeouts.shortest.count();
  out.push_back({"Of " + Counted(situation.own_timeouts.entries, "connection", "connections") +
                     " the entry has a timeout of its own, about " + std::to_string(shortest) +
                     " s at the shortest, whatever the sysctls say. Raise it where it comes from, a timeout policy "
                     "(`ct timeout` in `nft list ruleset`, or `nfct list timeout`). Or switch TCP keepalive on in the "
                     "application, with TCP_KEEPIDLE at most " +
                     std::to_string(std::max<std::int64_t>(shortest / 2, 1)) + ".",
                 "", "", "own_timeouts"});
}

// Entries of connections that are open both ways.
void KeepEstablished(const Situation& situation, std::vector<Statement>& out) {
  if (situation.own_timeouts.entries > 0) {
    KeepThoseWithOwnTimeouts(situation, out);
  }
  const auto timeout = Timeout(situation, sources::ConntrackTcpTimeout::kEstablished);
  const auto keepalive = KeepaliveTime(situation);
  if (!timeout || !keepalive || situation.only_own_timeouts) {
    return;
  }
  const std::string now = Setting("nf_conntrack_tcp_timeout_established", *timeout);
  const seconds enough = SufficientTimeout(situation);
  if (*timeout < enough) {
    out.push_back({"Keep entries longer than connections idle: " + now + " s now. RFC 5382 asks for " +
                       std::to_string(kLeastEstablished.count()) +
                       " s at least, and the first TCP keepalive comes after " + std::to_string(keepalive->count()) +
                       " s (tcp_keepalive_time) unless the application asks for it sooner. An entry takes the new "
                       "timeout with its connection's next packet.",
                   "", SysctlCommand("net.netfilter.nf_conntrack_tcp_timeout_established", enough.count()),
                   "raise_established_timeout"});
  }
  std::string text = "In the application: switch TCP keepalive on (SO_KEEPALIVE)";
  if (*keepalive < *timeout) {
    text += "; its default here, " + Setting("tcp_keepalive_time", *keepalive) + " s, is shorter than " + now + " s.";
  } else {
    text += " with TCP_KEEPIDLE below " + std::to_string(timeout->count()) + " s (" + now + "); its default here, " +
            Setting("tcp_keepalive_time", *keepalive) + " s, comes too late.";
  }
  if (const auto& interval = situation.sysctl->tcp_keepalive_interval; interval && *interval >= *timeout) {
    text +=
        " TCP_KEEPINTVL must be below that timeout, too: the probe after an answered one waits for it, by default "
        "for " +
        Setting("tcp_keepalive_intvl", *interval) + " s.";
  }
  text += " Each probe refreshes the entry of an idle connection.";
  if (situation.ends.without_keepalive > 0) {
    text += " It was off on " + std::to_string(situation.ends.without_keepalive) + " of the connections concerned.";
  }
  out.push_back({std::move(text), "", "", "keepalive"});
}

// Entries of connections that the peer has closed.
void KeepHalfClosed(const Situation& situation, std::vector<Statement>& out) {
  const auto timeout = Timeout(situation, sources::ConntrackTcpTimeout::kCloseWait);
  if (!timeout) {
    return;
  }
  const std::string now = Setting("nf_conntrack_tcp_timeout_close_wait", *timeout);
  out.push_back({"In the application: close within " + Lasting(static_cast<double>(timeout->count())) +
                     " of the peer's close, as soon as read() returns 0. Conntrack forgets the connection then (" +
                     now + "), whatever the other timeouts are.",
                 "", "", "close_in_time"});
  const seconds enough = SufficientTimeout(situation);
  if (*timeout < enough) {
    out.push_back(
        {"Or keep such entries longer: " + now +
             " s now. An entry takes the new timeout when the peer closes, or with the next packet after that.",
         "", SysctlCommand("net.netfilter.nf_conntrack_tcp_timeout_close_wait", enough.count()),
         "raise_close_wait_timeout"});
  }
}

}  // namespace

std::vector<Statement> WhatToDo(const Situation& situation) {
  std::vector<Statement> out;
  const std::size_t places = std::min(situation.losses.size(), kMostPlaces);
  for (std::size_t i = 0; i < places; ++i) {
    if (situation.losses[i].stuck > 0 && situation.losses[i].helps) {
      FinishStuck(situation.losses[i], out);
    }
  }
  ForGood for_good;
  for (std::size_t i = 0; i < places; ++i) {
    for_good.Add(situation.losses[i]);
  }
  for_good.Finish(out);
  if (situation.losses.size() > places) {
    out.push_back({"And " + Counted(situation.losses.size() - places, "more place drops", "more places drop") +
                       " closing packets: run `finwait_exporter check` again when these are dealt with.",
                   "", "", "more_places"});
  }
  if (situation.table_full) {
    out.push_back(
        {"Make room in the conntrack table: it is full, and conntrack drops what has no entry then, whatever "
         "the rules say. Raise nf_conntrack_max (and nf_conntrack_buckets), or find out who fills it "
         "(`conntrack -L`).",
         "", "", "make_room"});
  }
  NotEnough(situation, out);
  if (situation.AnyNat()) {
    out.push_back(
        {"A translation that is lost with its entry does not come back: of a NATed connection only keeping the "
         "entry helps, as follows.",
         "", "", "keep_nat_entries"});
  }
  if (situation.losses.empty() && !situation.AnyNat() && !situation.AnyAffected() && situation.expiring == 0) {
    return out;
  }
  if (situation.OnlyWithEntry() && !situation.AnyNat()) {
    return out;  // no entry has been lost, and keeping entries mends nothing
  }
  // Whichever kind of entry was lost; where none was yet, the one that idle connections lose.
  if (situation.peer_closed > 0) {
    KeepHalfClosed(situation, out);
  }
  if (situation.open_both_ways > 0 || situation.peer_closed == 0) {
    KeepEstablished(situation, out);
  }
  return out;
}

std::vector<Statement> WhatWillNotHelp(const Situation& situation) {
  std::vector<Statement> out;
  const auto say = [&out](std::string id, std::string text) {
    out.push_back({std::move(text), "", "", std::move(id)});
  };
  const auto* sysctl = situation.sysctl ? &*situation.sysctl : nullptr;
  if (situation.AnyWithEntry()) {
    say("accept_invalid_tracked",
        "Accepting INVALID packets, a longer conntrack timeout, or TCP keepalive. FINs that have an entry are dropped "
        "here, too: they are ESTABLISHED, and die all the same.");
  }
  if (!situation.losses.empty() && !situation.OnlyWithEntry()) {
    std::string text = "nf_conntrack_tcp_be_liberal";
    if (sysctl != nullptr && sysctl->conntrack_tcp_be_liberal) {
      text += " (" + std::to_string(*sysctl->conntrack_tcp_be_liberal) + " now)";
    }
    say("be_liberal",
        text + ": it relaxes the window check of packets that have an entry; a FIN without one stays INVALID.");
  }
  if (situation.AnyOutbound()) {
    const bool rejects = std::any_of(situation.losses.begin(), situation.losses.end(),
                                     [](const AffectedSite& loss) { return !loss.inbound && loss.site.rejects; });
    say("reject",
        rejects ? "DROP in place of REJECT on the way out, or another kind of REJECT: the FIN is lost all the same."
                : "REJECT in place of DROP on the way out: the FIN is lost all the same.");
  }
  const bool drops_answers = std::any_of(situation.losses.begin(), situation.losses.end(),
                                         [](const AffectedSite& loss) { return loss.inbound && !loss.peer_fin; });
  if (drops_answers && (sysctl == nullptr || sysctl->conntrack_tcp_loose.value_or(1) != 0)) {
    say("accept_invalid_input",
        "Accepting INVALID alone on the way in. With nf_conntrack_tcp_loose = 1 the peer's bare ACK is NEW, and is "
        "dropped all the same. Only what a peer sends that closes at once gets in.");
  }
  if (situation.AnyNat()) {
    say("accept_invalid_nat",
        "Accepting INVALID for NATed connections: their FIN leaves already, untranslated, and belongs to no connection "
        "where it arrives.");
  }
  if (situation.stuck + situation.at_risk > 0 && !situation.OnlyWithEntry()) {
    say("raise_timeout_now", "Raising a timeout for connections whose entry is gone: it does not come back by that.");
  }
  if (situation.peer_closed > 0) {
    say("established_timeout",
        "A longer nf_conntrack_tcp_timeout_established for connections in CLOSE_WAIT: from the peer's FIN on "
        "nf_conntrack_tcp_timeout_close_wait counts.");
  }
  if (situation.stuck > 0) {
    say("fin_timeout",
        "net.ipv4.tcp_fin_timeout: it is for FIN_WAIT_2, which a socket reaches only when its FIN is answered.");
  }
  if ((situation.AnyOutbound() && situation.stuck + situation.at_risk > 0) ||
      situation.nat_stuck + situation.nat_at_risk > 0) {
    say("ss_kill",
        "`ss -K`, or killing the process: it clears this side; its RST is lost like the FIN, and the peer stays "
        "connected indefinitely.");
  }
  if (situation.resets_lost > 0) {
    say("repeat_reset",
        "Accepting INVALID for connections that were reset already: an RST is sent once. Their peers notice when they "
        "next send something, and a keepalive on their side is enough for that.");
  }
  return out;
}

}  // namespace finwait::report
