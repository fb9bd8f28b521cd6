#include "algorithm/target.hpp"

#include <catch2/catch.hpp>

#include <string>

using stratumproxy::algorithm::difficulty_from_target;

TEST_CASE("the difficulty-1 target of Bitcoin is difficulty 1, times the divider") {
  const std::string diff1 = "00000000ffff" + std::string(52, '0');
  CHECK(difficulty_from_target(diff1, 1) == 1);
  CHECK(difficulty_from_target("0x" + diff1, 1) == 1);
  CHECK(difficulty_from_target(diff1, 65'536) == 65'536);
}

TEST_CASE("a smaller target is a higher difficulty") {
  CHECK(difficulty_from_target("0000000000ffff" + std::string(50, '0'), 1) == 256);
  CHECK(difficulty_from_target("0000ffff" + std::string(56, '0'), 65'536) == 1);
}

TEST_CASE("hex of either case is the same target") {
  CHECK(difficulty_from_target("00000000FFFF" + std::string(52, '0'), 1) == 1);
}

TEST_CASE("what is no target has no difficulty") {
  CHECK(difficulty_from_target("", 1) == 0);
  CHECK(difficulty_from_target("0x", 1) == 0);
  CHECK(difficulty_from_target(std::string(63, 'f'), 1) == 0);
  CHECK(difficulty_from_target(std::string(65, 'f'), 1) == 0);
  CHECK(difficulty_from_target(std::string(64, '0'), 1) == 0);
  CHECK(difficulty_from_target(std::string(63, 'f') + "g", 1) == 0);
  CHECK(difficulty_from_target(std::string(64, 'f'), 0) == 0);
}

TEST_CASE("the smallest target has a finite difficulty") {
  const double difficulty = difficulty_from_target(std::string(63, '0') + "1", 4'294'967'296.0);
  CHECK(difficulty == Approx(65'535.0 * 0x1p240));
}
