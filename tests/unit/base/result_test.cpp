#include "stratumproxy/result.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

using namespace stratumproxy;

TEST_CASE("a result holds a value or the reason why there is none") {
  result<int> good(7);
  REQUIRE(good);
  CHECK(*good == 7);
  CHECK_FALSE(good.error());

  result<int> bad(errc::bad_params);
  CHECK_FALSE(bad);
  CHECK(bad.error() == errc::bad_params);

  result<int> system(std::make_error_code(std::errc::address_in_use));
  CHECK_FALSE(system.has_value());
  CHECK(system.error() == std::errc::address_in_use);
}

TEST_CASE("a result may hold what can only be moved") {
  result<std::unique_ptr<int>> value(std::make_unique<int>(3));
  REQUIRE(value);
  const auto taken = std::move(*value);
  CHECK(*taken == 3);
}

TEST_CASE("every error has a text of its own, and a foreign value is no crash") {
  std::string seen = "\n";
  for (int value = static_cast<int>(errc::not_json); value <= static_cast<int>(errc::out_of_range); ++value) {
    const auto text = std::error_code(value, error_category()).message();
    CHECK(text.find("unknown") == std::string::npos);
    CHECK(seen.find("\n" + text + "\n") == std::string::npos);
    seen += text + "\n";
  }
  CHECK(std::error_code(99, error_category()).message() == "unknown error 99");
  CHECK(std::string(error_category().name()) == "stratumproxy");
}
