#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "line_decoder.hpp"

using namespace stratumproxy;
using namespace stratumproxy::protocol;
using namespace std::string_literals;

namespace {

template <class Encode, class... Arguments>
std::string line(Encode encode, Arguments&&... arguments) {
  std::string out = "before\n";
  encode(out, std::forward<Arguments>(arguments)...);
  REQUIRE(out.substr(0, 7) == "before\n");
  out.erase(0, 7);
  if (!out.empty()) {
    CHECK(out.find('\n') == out.size() - 1);
    line_decoder decoder;
    CHECK(decoder.miner(std::string_view(out).substr(0, out.size() - 1)));
  }
  return out;
}

std::string configured(std::string_view params, std::uint32_t mask, bool honours_minimum = false) {
  line_decoder decoder;
  const auto asked =
      decoder.miner_body_of<configure>(R"({"id":1,"method":"mining.configure","params":)" + std::string(params) + "}");
  return line(encode_configured, "1", asked, mask, honours_minimum);
}

}  // namespace

TEST_CASE("replies have id, result and error, and the id as it came") {
  CHECK(line(encode_true, "7") == "{\"id\":7,\"result\":true,\"error\":null}\n");
  CHECK(line(encode_true, "\"a\"") == "{\"id\":\"a\",\"result\":true,\"error\":null}\n");
  CHECK(line(encode_false, "1.50") == "{\"id\":1.50,\"result\":false,\"error\":null}\n");
  CHECK(line(encode_error, "null", 20, "x") == "{\"id\":null,\"result\":null,\"error\":[20,\"x\",null]}\n");
  CHECK(line(encode_error, "1", -2147483647 - 1, "") == "{\"id\":1,\"result\":null,\"error\":[-2147483648,\"\",null]}\n");
  CHECK(line(encode_rejected, "4", 23, "Low difficulty") ==
        "{\"id\":4,\"result\":false,\"error\":[23,\"Low difficulty\",null]}\n");
  CHECK(line(encode_text_result, "4", "pong") == "{\"id\":4,\"result\":\"pong\",\"error\":null}\n");
}

TEST_CASE("texts are escaped to ASCII on one line, and bytes that are no UTF-8 are replaced") {
  const auto escaped = [](std::string_view text) {
    const auto out = line(encode_text_result, "1", text);
    return out.substr(18, out.size() - 18 - 16);
  };
  CHECK(escaped("\"\\/") == R"(\"\\/)");
  CHECK(escaped("a\nb\x1b\x7f") == R"(a\u000ab\u001b\u007f)");
  CHECK(escaped("\0x"s) == R"(\u0000x)");
  CHECK(escaped("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80") == R"(\u00e9\u20ac\ud83d\ude00)");
  CHECK(escaped("\xff|\xc3|\xe2\x82|\xf0\x9f\x98|\x80") == R"(\ufffd|\ufffd|\ufffd\ufffd|\ufffd\ufffd\ufffd|\ufffd)");
  CHECK(escaped("\xed\xa0\x80\xc0\x80\xf4\x90\x80\x80").find("\\ud8") == std::string::npos);
}

TEST_CASE("the subscribe reply has the nested form with both pairs") {
  CHECK(line(encode_subscribed, "1", "5e551", "0a", 3u) ==
        R"({"id":1,"result":[[["mining.set_difficulty","5e551"],["mining.notify","5e551"]],"0a",3],"error":null})"
        "\n");
}

TEST_CASE("the configure reply has exactly the keys that were asked for") {
  CHECK(configured(R"([["version-rolling"],{}])", 0x1fffe000u) ==
        "{\"id\":1,\"result\":{\"version-rolling\":true,\"version-rolling.mask\":\"1fffe000\"},\"error\":null}\n");
  CHECK(configured(R"([["version-rolling"],{}])", 0u) == "{\"id\":1,\"result\":{\"version-rolling\":false},\"error\":null}\n");
  CHECK(configured("[[]]", 0x1fffe000u) == "{\"id\":1,\"result\":{},\"error\":null}\n");
  CHECK(configured(R"([["minimum-difficulty"],{"minimum-difficulty.value":64}])", 0u, true) ==
        R"({"id":1,"result":{"minimum-difficulty":true},"error":null})"
        "\n");
  CHECK(configured(R"([["info","x\"y","subscribe-extranonce","minimum-difficulty"],{}])", 1u) ==
        R"({"id":1,"result":{"minimum-difficulty":false,"subscribe-extranonce":true,"info":true,"x\"y":false},"error":null})"
        "\n");
}

TEST_CASE("pushes to a miner have a null id") {
  CHECK(line(encode_set_difficulty, 1024.0) == "{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[1024]}\n");
  CHECK(line(encode_set_version_mask, 0xe000u) ==
        "{\"id\":null,\"method\":\"mining.set_version_mask\",\"params\":[\"0000e000\"]}\n");
  CHECK(line(encode_set_extranonce, "ab12", 4u) ==
        "{\"id\":null,\"method\":\"mining.set_extranonce\",\"params\":[\"ab12\",4]}\n");
  CHECK(line(encode_show_message, "hi \"all\"") ==
        "{\"id\":null,\"method\":\"client.show_message\",\"params\":[\"hi \\\"all\\\"\"]}\n");
}

TEST_CASE("requests to a pool") {
  CHECK(
      line(encode_configure_request, 1u, 0x1fffe000u) ==
      R"({"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000","version-rolling.min-bit-count":2}]})"
      "\n");
  CHECK(line(encode_subscribe_request, 2u, "agent/1", "") ==
        "{\"id\":2,\"method\":\"mining.subscribe\",\"params\":[\"agent/1\"]}\n");
  CHECK(line(encode_subscribe_request, 2u, "", "") == R"({"id":2,"method":"mining.subscribe","params":[]})" "\n");
  CHECK(line(encode_subscribe_request, 2u, "agent/1", "s\"1") ==
        "{\"id\":2,\"method\":\"mining.subscribe\",\"params\":[\"agent/1\",\"s\\\"1\"]}\n");
  CHECK(line(encode_authorize_request, 18446744073709551615u, "u.1", "p\\") ==
        "{\"id\":18446744073709551615,\"method\":\"mining.authorize\",\"params\":[\"u.1\",\"p\\\\\"]}\n");
  CHECK(line(encode_extranonce_subscribe_request, 4u) ==
        "{\"id\":4,\"method\":\"mining.extranonce.subscribe\",\"params\":[]}\n");
  CHECK(line(encode_suggest_difficulty_request, 5u, 0.5) ==
        "{\"id\":5,\"method\":\"mining.suggest_difficulty\",\"params\":[0.5]}\n");
}

TEST_CASE("a submit goes up with padded lower-case hex, and version bits only where agreed") {
  upstream_submit share{"u.1", "weird \"id", "F00f00", "0000000A", 0x66a00000, 0xabcd, std::nullopt};
  CHECK(line(encode_submit_request, 9u, share) ==
        R"({"id":9,"method":"mining.submit","params":["u.1","weird \"id","f00f000000000a","66a00000","0000abcd"]})"
        "\n");
  share.version_bits = 0x2000;
  CHECK(line(encode_submit_request, 9u, share) ==
        R"({"id":9,"method":"mining.submit","params":["u.1","weird \"id","f00f000000000a","66a00000","0000abcd","00002000"]})"
        "\n");
}

TEST_CASE("a peer of another protocol is refused in a form that it reads") {
  CHECK(line(encode_foreign_refusal, dialect::ethereum_stratum, "1", "no") ==
        "{\"id\":1,\"result\":null,\"error\":[20,\"no\",null]}\n");
  for (const auto which : {dialect::eth_proxy, dialect::cryptonote}) {
    CHECK(line(encode_foreign_refusal, which, "1", "no") ==
          R"({"id":1,"jsonrpc":"2.0","result":null,"error":{"code":-1,"message":"no"}})"
          "\n");
  }
  CHECK(line(encode_foreign_refusal, dialect::stratum_v2, "1", "no").empty());
}
