#include <catch2/catch.hpp>

#include <string>

#include "admin/json.hpp"

namespace {

using namespace stratumproxyd;

std::string error_of(std::string_view text) {
  const auto parsed = parse_json_object(text);
  const auto* error = std::get_if<std::string>(&parsed);
  return error ? *error : std::string();
}

}  // namespace

TEST_CASE("a flat object is read with the types of its members") {
  const auto parsed = parse_json_object(R"({"a":"x\u00e9","b":1.5e3,"c":true,"d":null,"e":["p","q"],"f":[]})");
  const auto& object = std::get<json_object>(parsed);
  CHECK(std::get<std::string>(object.at("a")) == "x\u00e9");
  CHECK(to_double(std::get<json_number>(object.at("b"))) == 1500.0);
  CHECK(std::get<bool>(object.at("c")));
  CHECK(std::holds_alternative<json_null>(object.at("d")));
  CHECK(std::get<std::vector<std::string>>(object.at("e")) == std::vector<std::string>{"p", "q"});
  CHECK(std::get<std::vector<std::string>>(object.at("f")).empty());
}

TEST_CASE("an array may hold objects, whose members are apart from each other and from those around them") {
  const auto parsed = parse_json_object(R"({"a":[{"a":"x","b":1},{"a":"y","c":["p","q"],"d":null},{}],"b":true})");
  const auto& object = std::get<json_object>(parsed);
  const auto& array = std::get<std::vector<json_object>>(object.at("a"));
  REQUIRE(array.size() == 3);
  CHECK(std::get<std::string>(array[0].at("a")) == "x");
  CHECK(std::get<json_number>(array[0].at("b")).text == "1");
  CHECK(std::get<std::string>(array[1].at("a")) == "y");
  CHECK(std::get<std::vector<std::string>>(array[1].at("c")) == std::vector<std::string>{"p", "q"});
  CHECK_FALSE(array[1].contains("b"));
  CHECK(array[2].empty());
  CHECK(std::get<bool>(object.at("b")));
}

TEST_CASE("what is no such object is refused with a reason") {
  for (const std::string text : {"", " ", "{", "[]", "[{}]", R"([{"a":1}])", "5", "\"x\"", "null", "{} {}", "{}x",
                                 R"({"a":1,"a":2})", R"({"a":{}})",
                                 R"({"a":[1]})", R"({"a":[{},1]})", R"({"a":[true,{}]})", R"({"a":["x",{}]})", R"({"a":[{},"x"]})", R"({"a":[{},[]]})",
                                 R"({"a":[{"b":{}}]})", R"({"a":[{"b":[{}]}]})", R"({"a":[{"b":[1]}]})", R"({"a":[{"b":"\ud800"}]})",
                                 R"({"a":[{"b":1,"b":2}]})", R"({"a":[{}],"a":[{}]})", R"({"a":[{"\u0000":1}]})",
                                 R"({"a":[[]]})", R"({"a":[null]})", "{\"a\":\"\xff\"}", "{\"a\":\"\xed\xa0\x80\"}", R"({a:1})",
                                 R"({"a":01})", R"({"a":"\ud800"})", R"({"a":"\udc00"})", R"({"a":["\udfff"]})", R"({"\udc00":1})", R"({"a":"\u0000"})"})
    CHECK_FALSE(error_of(text).empty());
  CHECK(error_of(R"({"a":1,"a":2})") == "a member appears twice");
  CHECK(error_of(R"({"a":[{"b":1,"\u0062":2}]})") == "a member appears twice");
  CHECK(error_of(std::string_view("{}\0", 3)) == "the body contains a NUL byte");
}

TEST_CASE("deep nesting is refused without recursion") {
  CHECK_FALSE(error_of(std::string(200'000, '[')).empty());
  CHECK_FALSE(error_of("{\"a\":" + std::string(200'000, '[')).empty());
  CHECK_FALSE(error_of("{\"a\":[{\"b\":" + std::string(200'000, '[')).empty());
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  CHECK_FALSE(error_of(objects).empty());
  objects.clear();
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":[";
  CHECK_FALSE(error_of(objects).empty());
}

TEST_CASE("numbers outside of a double are none") {
  CHECK_FALSE(to_double({"1e999"}));
  CHECK_FALSE(to_double({"-1e999"}));
  CHECK(to_double({"0.0000000000000000000000000000000000000000000000000001"}) == 1e-52);
}
