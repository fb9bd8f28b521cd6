#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "line_decoder.hpp"

using namespace stratumproxy;
using namespace stratumproxy::protocol;

namespace {

std::string response(std::string_view result) { return R"({"id":1,"result":)" + std::string(result) + R"(,"error":null})"; }

std::error_code subscribe_error(std::string_view result) {
  line_decoder decoder;
  decoder.pool_body_of<pool_response>(response(result));
  return decoder.last().as_subscribe_result().error();
}

std::uint32_t configured_mask(std::string_view result) {
  line_decoder decoder;
  decoder.pool_body_of<pool_response>(response(result));
  return decoder.last().as_configure_result().mask;
}

}  // namespace

TEST_CASE("the answer to mining.subscribe is read in every shape of the field") {
  struct row {
    const char* result;
    const char* session;
    const char* extranonce1;
    unsigned size;
  };
  const auto [text, session, extranonce1, size] = GENERATE(
      row{R"([[["mining.set_difficulty","4"],["mining.notify","ae68"]],"6c6f010000000c",4])", "ae68", "6c6f010000000c", 4},
      row{R"([[["mining.notify","ae68"],["mining.set_difficulty","4"]],"08000002",4])", "ae68", "08000002", 4},
      row{R"([[["mining.notify","761aae13"]],"d1e54072",8])", "761aae13", "d1e54072", 8},
      row{R"([["mining.notify","ae68"],"",8])", "ae68", "", 8},
      row{R"(["mining.notify","ae68","d1e54072",8])", "ae68", "d1e54072", 8},
      row{R"([["mining.set_difficulty","4","mining.notify","ae68"],"08000002",4])", "ae68", "08000002", 4},
      row{R"([["mining.set_difficulty","4"],["mining.notify","ae68"],"08000002",4])", "ae68", "08000002", 4},
      row{R"([[],"08000002",4])", "", "08000002", 4}, row{R"([null,"08000002",4])", "", "08000002", 4},
      row{R"(["01650f001f25ea",4])", "", "01650f001f25ea", 4},
      row{R"([[["mining.notify",5]],"08000002",16])", "", "08000002", 16},
      row{R"([[["mining.notify"]],"ABCD",1])", "", "ABCD", 1}, row{R"([[["mining.notify",null]],"ab",2])", "", "ab", 2});
  INFO(text);
  line_decoder decoder;
  decoder.pool_body_of<pool_response>(response(text));
  const auto answer = decoder.last().as_subscribe_result();
  REQUIRE(answer);
  CHECK(answer->session == session);
  CHECK(answer->extranonce1 == extranonce1);
  CHECK(answer->extranonce2_size == size);
}

TEST_CASE("sizes out of range are refused") {
  for (const auto* size : {"-1", "0", "17", "4.5", "1e1", "18446744073709551616"}) {
    INFO(size);
    CHECK(subscribe_error(R"([[["mining.notify","ae"]],"f000000f",)" + std::string(size) + "]") == errc::out_of_range);
  }
  CHECK_FALSE(subscribe_error("[[],\"" + std::string(64, 'a') + "\",4]"));
  CHECK(subscribe_error("[[],\"" + std::string(66, 'a') + "\",4]") == errc::out_of_range);
  CHECK(subscribe_error("[[],\"" + std::string(100000, 'a') + "\",4]") == errc::out_of_range);
}

TEST_CASE("answers without an extranonce are refused") {
  for (const auto* result :
       {"null", "true", "{}", "[]", "[4]", R"([[],"f000000f","4"])", R"([[],"f000000f",null])", R"([[],"f00",4])",
        R"([[],"f00g",4])", "[[],null,4]", "[[],5,4]", R"([true,"EthereumStratum/1.0.0"])",
        R"([["mining.notify","s","EthereumStratum/1.0.0"],"080c"])", R"([null,"080c"])"}) {
    INFO(result);
    CHECK(subscribe_error(result) == errc::bad_params);
  }
}

TEST_CASE("a session id of absurd length is none") {
  line_decoder decoder;
  decoder.pool_body_of<pool_response>(response("[[[\"mining.notify\",\"" + std::string(257, 's') + "\"]],\"ab\",4]"));
  CHECK(decoder.last().as_subscribe_result()->session.empty());
}

TEST_CASE("version rolling is granted by true and a mask, and by nothing else") {
  CHECK(configured_mask(R"({"version-rolling":true,"version-rolling.mask":"1fffe000"})") == 0x1fffe000);
  CHECK(configured_mask(R"({"version-rolling.mask":"1FFFE000","minimum-difficulty":true,"version-rolling":true})") ==
        0x1fffe000);
  for (const auto* result :
       {R"({"version-rolling":false,"version-rolling.mask":"1fffe000"})",
        R"({"version-rolling":"not here","version-rolling.mask":"1fffe000"})", R"({"version-rolling":true})",
        R"({"version-rolling":true,"version-rolling.mask":true})", R"({"version-rolling":true,"version-rolling.mask":"zz"})",
        R"({"version-rolling.mask":"1fffe000"})", "{}", "[]", "true", "false", "null", R"("no")",
        R"([{"version-rolling":true}])"}) {
    INFO(result);
    CHECK(configured_mask(result) == 0);
  }
}
