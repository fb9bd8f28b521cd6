#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "line_decoder.hpp"

using namespace stratumproxy;
using namespace stratumproxy::protocol;
using namespace std::string_literals;

namespace {

std::error_code miner_error(std::string_view line) {
  line_decoder decoder;
  return decoder.miner(line).error();
}

std::string with_param(std::string_view param) {
  return R"({"id":1,"method":"mining.subscribe","params":[)" + std::string(param) + "]}";
}

std::string with_id(std::string_view id) {
  return R"({"id":)" + std::string(id) + R"(,"method":"mining.subscribe","params":[]})";
}

std::string repeated(std::string_view text, int times) {
  std::string out;
  while (times-- > 0) out += text;
  return out;
}

}  // namespace

TEST_CASE("text that is not JSON is refused") {
  const auto line = GENERATE(as<std::string>{}, "", " ", "{", "}", "nonsense", R"({"id":1,})", R"({'id':1})", R"({"id":1}})",
                             R"({"id":1} xx)", R"({"id":1}{"id":2})", R"({"id":1 "method":"x"})", R"({"id" 1})", "[1,]",
                             "// comment", R"({"id":1,"method":"mining.ping)", R"({"id":1,"method":"mining.ping\)");
  INFO(line);
  CHECK(miner_error(line) == errc::not_json);
}

TEST_CASE("numbers that JSON does not know are refused") {
  const auto number =
      GENERATE(as<std::string>{}, "NaN", "Infinity", "-Infinity", "01", "-", "+1", ".5", "1.", "1e", "0x10", "1_000", "--1");
  INFO(number);
  CHECK(miner_error(with_id(number)) == errc::not_json);
  CHECK(miner_error(with_param(number)) == errc::not_json);
}

TEST_CASE("numbers of any length are no danger") {
  // The first crashed RapidJSON's own conversion (CVE-2024-38517).
  const auto number = GENERATE(as<std::string>{}, "1.00000000000000011111111111111111111111e-2147483638", "1e-400", "-0.0e-0",
                               "18446744073709551616", "123456789012345678901234567890.5", "1e-99999999999999999999");
  INFO(number);
  CHECK_FALSE(miner_error(with_param(number)));
}

TEST_CASE("a number that no double can hold is refused") {
  const auto number = GENERATE(as<std::string>{}, "1e309", "-1e309", "1e99999999999999999999");
  INFO(number);
  CHECK(miner_error(with_param(number)) == errc::not_json);
  CHECK(miner_error(with_id(number)) == errc::not_json);
  CHECK(miner_error(with_id("9e308")) == errc::not_json);
}

TEST_CASE("bytes that are no UTF-8 are refused, wherever they stand") {
  const auto bytes = GENERATE(as<std::string>{}, "\xc0\xaf", "\xff", "\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xed\xa0\x80",
                              "\xf5\x80\x80\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80");
  CHECK(miner_error(with_param("\"" + bytes + "\"")) == errc::not_json);
  CHECK(miner_error("{\"" + bytes + R"(":1,"id":1,"method":"mining.ping"})") == errc::not_json);
  CHECK(miner_error(R"({"id":1,"method":")" + bytes) == errc::not_json);  // cut off in the sequence
}

TEST_CASE("good UTF-8 and good surrogate pairs are taken") {
  line_decoder decoder;
  CHECK(decoder.miner_body_of<subscribe>(with_param("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf\"")).agent ==
        "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf");
  CHECK(decoder.miner_body_of<subscribe>(with_param(R"("\ud83d\ude00\ud7ff")")).agent == "\xf0\x9f\x98\x80\xed\x9f\xbf");
}

TEST_CASE("a surrogate without its partner is refused") {
  const auto text = GENERATE(as<std::string>{}, R"(\ud800)", R"(\udc00)", R"(\udfff)", R"(a\ud800b)", R"(\ud800\ud800)",
                             R"(\udc00\ud800)", R"(\ud800\u0041)", R"(\udbff\n)", R"(x\ud83d\ude00\udc00)");
  INFO(text);
  CHECK(miner_error(with_param("\"" + text + "\"")) == errc::not_json);
  CHECK(miner_error("{\"" + text + R"(":1,"id":1,"method":"mining.ping"})") == errc::not_json);
}

TEST_CASE("bad escapes and raw control characters are refused") {
  const auto text = GENERATE(as<std::string>{}, R"(\x41)", R"(\u12)", R"(\u12g4)", "\t", "\x01", "\x1f");
  CHECK(miner_error(with_param("\"" + text + "\"")) == errc::not_json);
}

TEST_CASE("a NUL byte is refused and hides nothing behind it") {
  const auto good = R"({"id":1,"method":"mining.ping"})"s;
  CHECK(miner_error(good + "\0"s) == errc::not_json);
  CHECK(miner_error(good + "\0{"s) == errc::not_json);
  CHECK(miner_error("\0"s + good) == errc::not_json);
  CHECK(miner_error(with_param("\"a\0b\""s)) == errc::not_json);
}

TEST_CASE("UTF-16 and a byte order mark are refused") {
  CHECK(miner_error("\xef\xbb\xbf" + with_param("")) == errc::not_json);
  CHECK(miner_error("{\0\"\0i\0d\0"s) == errc::not_json);
}

TEST_CASE("depth 8 is taken, depth 9 is refused") {
  // The object and the list of parameters are two.
  CHECK_FALSE(miner_error(with_param(repeated("[", 6) + repeated("]", 6))));
  CHECK(miner_error(with_param(repeated("[", 7) + repeated("]", 7))) == errc::not_json);
  CHECK_FALSE(miner_error(with_param(repeated(R"({"a":)", 6) + "1" + repeated("}", 6))));
  CHECK(miner_error(with_param(repeated(R"({"a":)", 7) + "1" + repeated("}", 7))) == errc::not_json);
}

TEST_CASE("nesting bombs are refused") {
  CHECK(miner_error(repeated("[", 200000)) == errc::not_json);
  CHECK(miner_error(repeated(R"({"a":)", 50000)) == errc::not_json);
}

TEST_CASE("a key that comes twice is refused, at any depth and however it is spelt") {
  CHECK(miner_error(R"({"id":1,"id":1,"method":"mining.ping"})") == errc::not_json);
  CHECK(miner_error(R"({"id":1,"method":"a","params":[],"params":[]})") == errc::not_json);
  CHECK(miner_error(R"({"id":1,"method":"a","\u0069d":2})") == errc::not_json);
  CHECK(miner_error(with_param(R"({"x":{"y":1,"y":2}})")) == errc::not_json);
  CHECK(miner_error(with_param(R"({"x":[{"y":1},2],"z":{"x":0},"x":3})")) == errc::not_json);
  CHECK_FALSE(miner_error(with_param(R"({"x":{"x":{"x":1}},"X":2,"":3})")));
}

TEST_CASE("64 members in an object are taken, 65 are refused") {
  const auto members = [](int count) {
    std::string out;
    for (int i = 0; i < count; ++i) ((out += i ? ",\"k" : "{\"k") += std::to_string(i)) += "\":[]";
    return out += '}';
  };
  CHECK_FALSE(miner_error(with_param(members(64))));
  CHECK(miner_error(with_param(members(65))) == errc::not_json);
}

TEST_CASE("more values than a decoder keeps room for are refused") {
  CHECK_FALSE(miner_error(with_param(repeated("0,", 8000) + "0")));
  CHECK(miner_error(with_param(repeated("0,", 9000) + "0")) == errc::not_json);
}

TEST_CASE("JSON that is no object is refused") {
  const auto line =
      GENERATE(as<std::string>{}, "true", "false", "null", "1", R"("x")", "[]", R"([{"id":1,"method":"mining.ping"}])");
  INFO(line);
  CHECK(miner_error(line) == errc::not_an_object);
}

TEST_CASE("ids that cannot be echoed are refused") {
  CHECK(miner_error(with_id(R"({"a":1})")) == errc::bad_id);
  CHECK(miner_error(with_id("[1]")) == errc::bad_id);
  CHECK(miner_error(with_id("true")) == errc::bad_id);
  CHECK(miner_error(with_id("\"" + std::string(65, 'x') + "\"")) == errc::bad_id);
  CHECK(miner_error(with_id(std::string(65, '1'))) == errc::bad_id);
  CHECK_FALSE(miner_error(with_id("\"" + std::string(64, 'x') + "\"")));
  CHECK_FALSE(miner_error(with_id(std::string(64, '1'))));
}

TEST_CASE("an object that is neither request nor response is refused") {
  CHECK(miner_error("{}") == errc::bad_method);
  CHECK(miner_error(R"({"id":1})") == errc::bad_method);
  CHECK(miner_error(R"({"id":1,"method":5,"params":[]})") == errc::bad_method);
  CHECK(miner_error(R"({"id":1,"method":null,"result":true})") == errc::bad_method);
  line_decoder decoder;
  CHECK(decoder.pool("{}").error() == errc::bad_method);
}

TEST_CASE("a refused line leaves nothing behind for the next one") {
  line_decoder decoder;
  REQUIRE_FALSE(decoder.miner(R"({"id":9,"method":"mining.authorize","params":["a","b")"));
  const auto message = decoder.miner(R"({"method":"mining.authorize","params":["c"]})");
  REQUIRE(message);
  CHECK(message->id == "null");
  CHECK(std::get<authorize>(message->body).user == "c");
  REQUIRE_FALSE(decoder.pool("{"));
  CHECK_FALSE(decoder.last().as_subscribe_result());
  CHECK(decoder.last().as_configure_result().mask == 0);
}
