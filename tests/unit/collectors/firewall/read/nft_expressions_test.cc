#include "collectors/firewall/read/nft_expressions.h"

#include <gmock/gmock.h>

#include "tests/unit/collectors/firewall/read/nft_bytes.h"

namespace finwait::firewall::read {
namespace {

using testing::SizeIs;

TEST(NftExpressionsTest, AnExpressionOfANewerKernelIsNamedAndNotKnown) {
  const auto unknown = DecodedAs<UnknownExpression>("teleport", {Number32(1, 2)});
  EXPECT_EQ(unknown.name, "teleport");
  EXPECT_EQ(unknown.reason, "not known to this version");
  EXPECT_EQ(DecodedAs<UnknownExpression>(std::string(200, 'x'), {}).name, std::string(32, 'x')) << "bounded";
}

TEST(NftExpressionsTest, AnExpressionWhoseAttributesEndInTheMiddleIsNotUnderstood) {
  // "notrack" needs no attribute: only the torn end tells.
  Value bytes = BytesOfParts({Text(NFTA_EXPR_NAME, "notrack"), Raw(NFTA_EXPR_DATA, Bytes({8, 0, 1, 0, 0, 0, 0, 1}))});
  EXPECT_TRUE(std::holds_alternative<Notrack>(DecodeExpression(bytes)));
  bytes = BytesOfParts({Text(NFTA_EXPR_NAME, "notrack"), Raw(NFTA_EXPR_DATA, Bytes({9, 0, 1, 0, 0, 0, 0, 1}))});
  EXPECT_TRUE(IsNotUnderstood(DecodeExpression(bytes), "notrack"));
}

TEST(NftExpressionsTest, ARulesExpressionsKeepTheirOrder) {
  const Put drop = Named(NFTA_LIST_ELEM, "immediate",
                         {Number32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT), VerdictData(NFTA_IMMEDIATE_DATA, 0)});
  const auto list =
      DecodeExpressions(BytesOfParts({Named(NFTA_LIST_ELEM, "notrack", {}), Number32(NFTA_LIST_ELEM + 1, 9), drop}));
  ASSERT_THAT(list, SizeIs(2)) << "what is no element of the list is none of the rule's expressions";
  EXPECT_TRUE(std::holds_alternative<Notrack>(list[0]));
  EXPECT_EQ(std::get<VerdictStatement>(list[1]).verdict.kind, Verdict::Kind::kDrop);
}

TEST(NftExpressionsTest, ARuleThatIsTornOrTooLongEndsInSomethingUnknown) {
  std::vector<Put> many(kMaxExpressions, Named(NFTA_LIST_ELEM, "last", {}));
  EXPECT_THAT(DecodeExpressions(BytesOfParts(many)), SizeIs(kMaxExpressions));
  many.push_back(many.front());
  const auto cut = DecodeExpressions(BytesOfParts(many));
  ASSERT_THAT(cut, SizeIs(kMaxExpressions + 1));
  EXPECT_EQ(std::get<UnknownExpression>(cut.back()).reason, "the rule's end could not be read");

  Value torn = BytesOfParts({Named(NFTA_LIST_ELEM, "last", {}), Named(NFTA_LIST_ELEM, "last", {})});
  torn.resize(torn.size() - 4);
  const auto list = DecodeExpressions(torn);
  ASSERT_THAT(list, SizeIs(2));
  EXPECT_TRUE(std::holds_alternative<Last>(list.front()));
  EXPECT_EQ(std::get<UnknownExpression>(list.back()).reason, "the rule's end could not be read");
}

}  // namespace
}  // namespace finwait::firewall::read
