#pragma once

#include "collectors/firewall/packet/abstract_value.h"
#include "collectors/firewall/packet/condition.h"
#include "collectors/firewall/packet/connection.h"
#include "collectors/firewall/packet/forwarded_connection.h"
#include "collectors/firewall/packet/hook_context.h"
#include "collectors/firewall/packet/interval_set.h"
#include "collectors/firewall/packet/packet.h"
#include "collectors/firewall/packet/translation.h"
#include "collectors/firewall/packet/tristate.h"

/// The evaluator speaks of packets in nearly every line, and so do those who ask it: the names of packet/ are its own.
namespace finwait::firewall::eval {

using packet::AbstractByte;
using packet::AbstractBytes;
using packet::AbstractNumber;
using packet::AddressKind;
using packet::And;
using packet::Condition;
using packet::Conditions;
using packet::Connection;
using packet::Decide;
using packet::Decision;
using packet::DeviceView;
using packet::Field;
using packet::ForwardedConnection;
using packet::HookContext;
using packet::HostSide;
using packet::Interface;
using packet::IntervalSet;
using packet::IsOutgoing;
using packet::LeadingBytesOf;
using packet::Loopback;
using packet::MakePacket;
using packet::Name;
using packet::NewValue;
using packet::Not;
using packet::OpenedBy;
using packet::Or;
using packet::Packet;
using packet::PacketKind;
using packet::PacketTracking;
using packet::Passage;
using packet::PathKind;
using packet::RepresentativeFlow;
using packet::SizeOf;
using packet::SocketFacts;
using packet::SocketOwner;
using packet::TellsConnectionsApart;
using packet::Translation;
using packet::Tristate;
using packet::TristateOf;
using packet::Uncertainty;
using packet::VrfOf;
using packet::Wide;
using packet::WithEntry;

}  // namespace finwait::firewall::eval
