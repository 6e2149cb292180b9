#include "exporter/report/fate_text.h"

namespace finwait::report {

std::string_view Sentence(diagnosis::Fate fate) {
  switch (fate) {
    case diagnosis::Fate::kClean:
      return "it closes cleanly";
    case diagnosis::Fate::kFinDropped:
      return "its FIN never leaves this host: the socket sticks and the peer stays connected";
    case diagnosis::Fate::kAckDropped:
      return "its FIN leaves, and the peer's answer is dropped on its way in: the socket sticks";
    case diagnosis::Fate::kNatLost:
      return "it was translated, and without its entry its FIN goes out untranslated: it never arrives";
    case diagnosis::Fate::kPeerFinDropped:
      return "it closes cleanly if this end closes first. If the peer does, its FIN or the ACK of it is dropped here, "
             "and one end stays behind";
    case diagnosis::Fate::kPeerDecides:
      return "its FIN leaves, and whether it closes is the peer's doing. The peer's ACK is dropped on its way in and "
             "the "
             "peer's FIN is not, so that it closes as soon as the peer does. Or the peer has closed already, and the "
             "RST "
             "of one that has forgotten the connection is dropped";
    case diagnosis::Fate::kUnknown:
      return "what becomes of it cannot be known";
  }
  return "";
}

std::string_view Meaning(diagnosis::Fate fate) {
  switch (fate) {
    case diagnosis::Fate::kClean:
      return "would close";
    case diagnosis::Fate::kFinDropped:
      return "no conntrack entry, and a rule of this host's would drop the FIN";
    case diagnosis::Fate::kAckDropped:
      return "no conntrack entry, and the peer's answer to the FIN would be dropped on its way in";
    case diagnosis::Fate::kNatLost:
      return "no conntrack entry, and the connection was NATed: its FIN would go out untranslated";
    case diagnosis::Fate::kPeerFinDropped:
      return "no conntrack entry, and if the peer closed first, its FIN or the ACK of it would be dropped here";
    case diagnosis::Fate::kPeerDecides:
      return "no conntrack entry, and whether it closes is the peer's doing: its ACK would be dropped, its FIN not (or "
             "its "
             "RST, if already closed)";
    case diagnosis::Fate::kUnknown:
      return "no conntrack entry, and what its rules do to the FIN cannot be known";
  }
  return "";
}

std::string_view MeaningWithEntry(diagnosis::Fate fate) {
  switch (fate) {
    case diagnosis::Fate::kFinDropped:
      return "a rule of this host's would drop the FIN, whether conntrack has an entry for the connection or not";
    case diagnosis::Fate::kAckDropped:
      return "the peer's answer to the FIN would be dropped on its way in, whether conntrack has an entry for the "
             "connection or not";
    case diagnosis::Fate::kPeerDecides:
      return "whether it closes is the peer's doing: its ACK would be dropped, its FIN not, whether conntrack has an "
             "entry for the connection or not";
    default:
      return "if the peer closed first, its FIN or the ACK of it would be dropped here, with a conntrack entry or "
             "without";
  }
}

}  // namespace finwait::report
