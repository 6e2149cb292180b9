#include "exporter/diagnosis/counter_ledger.h"

#include <gtest/gtest.h>

namespace finwait::diagnosis {
namespace {

TEST(CounterLedgerTest, AddsWhatEachRuleCountedSinceTheLastSample) {
  CounterLedger ledger;
  ledger.BeginSample();
  EXPECT_EQ(ledger.Advance("a", 5), 5U) << "what it had counted before the first look is part of the total";
  EXPECT_EQ(ledger.Advance("b", 0), 0U);
  ledger.EndSample();
  ledger.BeginSample();
  EXPECT_EQ(ledger.Advance("a", 7), 2U);
  EXPECT_EQ(ledger.Advance("b", 3), 3U);
  ledger.EndSample();
}

TEST(CounterLedgerTest, ACounterThatStartsAgainNeverTakesAnythingBack) {
  CounterLedger ledger;
  ledger.BeginSample();
  ledger.Advance("a", 100);
  ledger.EndSample();
  ledger.BeginSample();
  EXPECT_EQ(ledger.Advance("a", 4), 4U);
  ledger.EndSample();
}

TEST(CounterLedgerTest, ARuleThatVanishesIsForgottenAndOneThatComesBackIsNew) {
  CounterLedger ledger;
  ledger.BeginSample();
  ledger.Advance("a", 100);
  ledger.EndSample();
  ledger.BeginSample();
  ledger.EndSample();
  ledger.BeginSample();
  EXPECT_EQ(ledger.Advance("a", 110), 110U);
  ledger.EndSample();
}

}  // namespace
}  // namespace finwait::diagnosis
