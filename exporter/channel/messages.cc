#include "exporter/channel/messages.h"

#include "collectors/codec/codec.h"

namespace finwait::channel {

void FactsAnswer::Encode(codec::Encoder& encoder) const { encoder.Put(facts); }
bool FactsAnswer::Decode(codec::Decoder& decoder) { return decoder.Take(facts); }

void Question::Encode(codec::Encoder& encoder) const {
  encoder.Put(resend_all);
  encoder.Put(what);
}
bool Question::Decode(codec::Decoder& decoder) { return decoder.Take(resend_all) && decoder.Take(what); }

}  // namespace finwait::channel
