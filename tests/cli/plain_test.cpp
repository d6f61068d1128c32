// VITRAIL_PLAIN: plain loops in the whole program.
#include <doctest/doctest.h>

#include "tests/support/run_program.h"

using namespace vitrail::testing;

TEST_CASE("VITRAIL_PLAIN runs the named operations on plain loops, and an unknown name is refused with the list") {
  const std::string opcheck = program() + " opcheck softmax";
  CHECK(run_command("VITRAIL_PLAIN=softmax,copy " + opcheck).code == 0);
  const Outcome outcome = run_command("VITRAIL_PLAIN=sofmax " + opcheck);
  CHECK(outcome.code == 2);
  CHECK(outcome.says("[plain] unknown operation: it is \"sofmax\""));
  CHECK(outcome.says("softmax, log_softmax, layer_norm"));
}
