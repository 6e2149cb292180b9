#pragma once

/// For types that cross by members of their own: `void Encode(Encoder&) const` and `bool Decode(Decoder&)`.
namespace finwait::codec {

class Decoder;
class Encoder;

}  // namespace finwait::codec
