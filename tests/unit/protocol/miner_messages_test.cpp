#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "line_decoder.hpp"

using namespace stratumproxy;
using namespace stratumproxy::protocol;
using namespace std::string_literals;

namespace {

std::string request(std::string_view method, std::string_view params) {
  return R"({"id":1,"method":")" + std::string(method) + R"(","params":)" + std::string(params) + "}";
}

template <class Body>
bool is(std::string_view method, std::string_view params) {
  line_decoder decoder;
  const auto message = decoder.miner(request(method, params));
  return message && std::holds_alternative<Body>(message->body);
}

}  // namespace

TEST_CASE("ids are echoed as they were sent") {
  const auto id = GENERATE(as<std::string>{}, "0", "7", "-1", "1.50", "-0", "32249", "1e3", "18446744073709551616", "null",
                           "\"auth\"", "\"\"", "\"7lowdiff\"");
  line_decoder decoder;
  const auto message = decoder.miner(R"({"id": )" + id + R"( , "method":"mining.ping"})");
  REQUIRE(message);
  CHECK(message->id == id);
  CHECK_FALSE(message->notification);
}

TEST_CASE("string ids are escaped again") {
  line_decoder decoder;
  CHECK(decoder.miner(R"({"id":"\u0000\"\n\\\/é😀","method":"mining.ping"})")->id == R"("\u0000\"\u000a\\/\u00e9\ud83d\ude00")");
}

TEST_CASE("a request without an id is a notification") {
  line_decoder decoder;
  const auto message = decoder.miner(R"({"method":"mining.subscribe","params":[]})");
  REQUIRE(message);
  CHECK(message->id == "null");
  CHECK(message->notification);
}

TEST_CASE("the order of members and further members do not matter") {
  line_decoder decoder;
  const auto message = decoder.miner(
      R"({"worker":"eth1.0","params":["u.1","p"],"client_id":4,"jsonrpc":"2.0","id":"a","server":{},"method":"mining.authorize"})");
  REQUIRE(message);
  CHECK(message->id == "\"a\"");
  CHECK(std::get<authorize>(message->body).user == "u.1");
}

TEST_CASE("mining.subscribe is read in every form of the field") {
  struct row {
    const char* params;
    const char* agent;
    const char* session;
  };
  const auto [params, agent, session] =
      GENERATE(row{"null", "", ""}, row{"[]", "", ""}, row{R"(["cgminer/4.10.0"])", "cgminer/4.10.0", ""},
               row{R"(["cgminer/4.10.0","1a2b3c"])", "cgminer/4.10.0", "1a2b3c"}, row{R"(["m",null])", "m", ""},
               row{R"(["m",null,"pool.example",3333])", "m", ""}, row{R"(["m",null,"pool.example","3333"])", "m", ""},
               row{R"(["Braiins OS",null,"pool.example:3333",null])", "Braiins OS", ""},
               row{R"(["pool.example","3333","ZECminer","NULL"])", "pool.example", "3333"},
               row{R"(["NiceHash/1.0.0","1520000000","5d41402abc"])", "NiceHash/1.0.0", "1520000000"},
               row{R"(["NiceHash/1.0.0",1520000000,"5d41402abc"])", "NiceHash/1.0.0", ""}, row{R"([["a"],{"b":2},3])", "", ""},
               row{R"([null,"s"])", "", "s"}, row{R"(["m",""])", "m", ""}, row{R"(["m",[]])", "m", ""});
  INFO(params);
  line_decoder decoder;
  const auto body = decoder.miner_body_of<subscribe>(request("mining.subscribe", params));
  CHECK(body.agent == agent);
  CHECK(body.session == session);
}

TEST_CASE("mining.subscribe without params is read") {
  line_decoder decoder;
  CHECK(decoder.miner_body_of<subscribe>(R"({"id":1,"method":"mining.subscribe"})").agent.empty());
}

TEST_CASE("mining.subscribe with parameters that are no list is malformed") {
  CHECK(is<malformed>("mining.subscribe", R"("cgminer")"));
  CHECK(is<malformed>("mining.subscribe", R"({"agent":"x"})"));
}

TEST_CASE("mining.authorize needs a user") {
  line_decoder decoder;
  const auto both = decoder.miner_body_of<authorize>(request("mining.authorize", R"(["acct.rig","x,d=5"])"));
  CHECK(both.user == "acct.rig");
  CHECK(both.password == "x,d=5");
  CHECK(decoder.miner_body_of<authorize>(request("mining.authorize", R"(["acct"])")).password.empty());
  CHECK(decoder.miner_body_of<authorize>(request("mining.authorize", R"(["acct",null])")).password.empty());
  CHECK(decoder.miner_body_of<authorize>(request("mining.authorize", R"(["acct",123])")).password.empty());
  CHECK(decoder.miner_body_of<authorize>(request("mining.authorize", R"(["acct","x","y"])")).user == "acct");

  for (const auto* params : {"null", "[]", "[null,null]", "[1,2]", R"([["a"],"b"])", R"({"0":"a"})", R"("alice")"}) {
    INFO(params);
    CHECK(is<malformed>("mining.authorize", params));
  }
}

TEST_CASE("mining.submit takes five texts, and version bits as the sixth") {
  line_decoder decoder;
  const auto five = decoder.miner_body_of<submit>(request("mining.submit", R"(["w","1f","00000001","66a00000","0000abcd"])"));
  CHECK(five.worker == "w");
  CHECK(five.job == "1f");
  CHECK(five.extranonce2 == "00000001");
  CHECK(five.ntime == "66a00000");
  CHECK(five.nonce == "0000abcd");
  CHECK_FALSE(five.version_bits);

  const auto six =
      decoder.miner_body_of<submit>(request("mining.submit", R"(["w","1f","00","66a00000","0000abcd","1fffe000"])"));
  CHECK(six.version_bits == "1fffe000");
  CHECK_FALSE(
      decoder.miner_body_of<submit>(request("mining.submit", R"(["w","1f","00","66a00000","0000abcd",null])")).version_bits);
  CHECK(decoder.miner_body_of<submit>(request("mining.submit", R"(["","","","",""])")).job.empty());
}

TEST_CASE("mining.submit of any other shape is malformed") {
  for (const auto* params : {"null", "[]", "{}", R"(["w","1f"])", R"(["w",1,2,3,4])", R"(["w","1f","00","66a00000",1])",
                             R"([null,"1f","00","66a00000","0000abcd"])", R"(["w","1f","00","66a00000","0000abcd",7])",
                             R"(["w","1f","00","66a00000","0000abcd","00","00"])", R"("wwwwww")",
                             R"(["w","1f","00","66a00000","0000abcd",null,"00"])"}) {
    INFO(params);
    CHECK(is<malformed>("mining.submit", params));
  }
}

TEST_CASE("mining.configure knows what was asked for") {
  line_decoder decoder;
  const auto asked = decoder.miner_body_of<configure>(request(
      "mining.configure",
      R"([["version-rolling","minimum-difficulty","subscribe-extranonce","info","future"],{"version-rolling.mask":"1fffe000","version-rolling.min-bit-count":16,"minimum-difficulty.value":2048,"info.hw-id":"x"}])"));
  CHECK(asked.version_rolling);
  CHECK(asked.mask == 0x1fffe000);
  CHECK(asked.minimum_difficulty);
  CHECK(asked.minimum_difficulty_value == 2048);
  CHECK(asked.subscribe_extranonce);
  CHECK(asked.info);
  REQUIRE(asked.unknown_count == 1);
  CHECK(asked.unknown[0] == "future");
}

TEST_CASE("mining.configure tolerates what miners leave out or get wrong") {
  const auto asked = [](std::string_view params) {
    line_decoder decoder;
    return decoder.miner_body_of<configure>(request("mining.configure", params));
  };
  CHECK(asked(R"([["version-rolling"]])").mask == 0xffffffff);
  CHECK(asked(R"([["version-rolling"],null])").mask == 0xffffffff);
  CHECK(asked(R"([["version-rolling"],{}])").mask == 0xffffffff);
  CHECK(asked(R"([["version-rolling"],{"version-rolling.mask":"ffff"}])").mask == 0xffff);
  for (const auto* mask : {R"("zzzzzzzz")", R"("ffffffffffffffff")", R"("")", "null", "5", "[]", R"("-1")"}) {
    INFO(mask);
    CHECK(asked(R"([["version-rolling"],{"version-rolling.mask":)"s + mask + R"(,"version-rolling.min-bit-count":-1}])").mask ==
          0);
  }
  CHECK(asked(R"([["minimum-difficulty"],{"minimum-difficulty.value":-5}])").minimum_difficulty_value == 0);
  CHECK(asked(R"([["minimum-difficulty"],{"minimum-difficulty.value":"x"}])").minimum_difficulty_value == 0);
  CHECK_FALSE(asked("[[]]").version_rolling);
  CHECK_FALSE(asked(R"([[1,null,["version-rolling"]],{}])").version_rolling);
  CHECK(is<malformed>("mining.configure", "[]"));
  CHECK(is<malformed>("mining.configure", "null"));
  CHECK(is<malformed>("mining.configure", R"(["version-rolling"])"));
}

TEST_CASE("mining.configure keeps a bounded list of unknown extensions, each once") {
  line_decoder decoder;
  const auto twice = decoder.miner_body_of<configure>(request("mining.configure", R"([["a","a","b"],{}])"));
  CHECK(twice.unknown_count == 2);
  std::string many = "[\"x0\"";
  for (int i = 1; i < 100; ++i) many += ",\"x" + std::to_string(i) + "\"";
  const auto bounded = decoder.miner_body_of<configure>(request("mining.configure", "[" + many + "],{}]"));
  CHECK(bounded.unknown_count == configure::max_unknown);
}

TEST_CASE("mining.configure takes no parameter's name for an extension") {
  line_decoder decoder;
  CHECK(decoder.miner_body_of<configure>(request("mining.configure", R"([["version-rolling","version-rolling.mask"],{}])"))
            .unknown_count == 0);
}

TEST_CASE("a suggested difficulty is positive and finite, or 0") {
  const auto suggested = [](std::string_view method, std::string_view params) {
    line_decoder decoder;
    return decoder.miner_body_of<suggest_difficulty>(request(method, params)).value;
  };
  const std::string method = "mining.suggest_difficulty";
  CHECK(suggested(method, "[1000]") == 1000);
  CHECK(suggested(method, "[0.0001]") == 0.0001);
  CHECK(suggested(method, R"(["512"])") == 512);
  CHECK(suggested(method, "[1e308]") == 1e308);
  for (const auto* params :
       {"[0]", "[-1]", "[9e308]", "[null]", "[]", "null", "[[]]", R"(["x"])", R"(["nan"])", R"(["inf"])", "{}"}) {
    INFO(params);
    CHECK(suggested(method, params) == 0);
  }
  CHECK(suggested("mining.suggest_difficulty(256)", "[]") == 256);
  CHECK(suggested("mining.suggest_difficulty(0.5", "[]") == 0.5);
  CHECK(suggested("mining.suggest_difficulty()", "[]") == 0);
}

TEST_CASE("a suggested target is 64 hex digits, or empty") {
  const std::string target(64, 'f');
  line_decoder decoder;
  CHECK(decoder.miner_body_of<suggest_target>(request("mining.suggest_target", "[\"" + target + "\"]")).target == target);
  CHECK(decoder.miner_body_of<suggest_target>(request("mining.suggest_target", "[\"" + target + "0\"]")).target.empty());
  CHECK(decoder.miner_body_of<suggest_target>(request("mining.suggest_target", "[\"" + std::string(64, 'g') + "\"]"))
            .target.empty());
  CHECK(decoder.miner_body_of<suggest_target>(request("mining.suggest_target", "[5]")).target.empty());
  CHECK(decoder.miner_body_of<suggest_target>(request("mining.suggest_target", "null")).target.empty());
}

TEST_CASE("methods whose parameters do not matter are known with any") {
  for (const auto* params : {"null", "[]", "{}", R"([{"a":[]}])", "5"}) {
    INFO(params);
    CHECK(is<extranonce_subscribe>("mining.extranonce.subscribe", params));
    CHECK(is<multi_version>("mining.multi_version", params));
    CHECK(is<capabilities>("mining.capabilities", params));
    CHECK(is<ping>("mining.ping", params));
    CHECK(is<pong>("pong", params));
  }
}

TEST_CASE("the first words of other protocols are recognised") {
  const auto foreign = [](std::string_view method, std::string_view params) {
    line_decoder decoder;
    return decoder.miner_body_of<foreign_dialect>(request(method, params)).which;
  };
  CHECK(foreign("eth_submitLogin", R"(["0xabc","x"])") == dialect::eth_proxy);
  CHECK(foreign("eth_login", "[]") == dialect::eth_proxy);
  CHECK(foreign("eth_getWork", "[]") == dialect::eth_proxy);
  CHECK(foreign("eth_submitWork", R"(["0x1","0x2","0x3"])") == dialect::eth_proxy);
  CHECK(foreign("eth_submitHashrate", "[]") == dialect::eth_proxy);
  CHECK(foreign("login", R"({"login":"4A","pass":"x","agent":"XMRig/6","algo":["rx/0"]})") == dialect::cryptonote);
  CHECK(foreign("mining.hello", R"({"agent":"ethminer","proto":"EthereumStratum/2.0.0"})") == dialect::ethereum_stratum);
  CHECK(foreign("mining.subscribe", R"(["ethminer","EthereumStratum/1.0.0"])") == dialect::ethereum_stratum);
}

TEST_CASE("what a miner has no business to send is unknown") {
  for (const auto* method : {"mining.foo", "MINING.SUBSCRIBE", "mining.submit\\u0000x", "mining.submit ", "", "mining.notify",
                             "mining.set_difficulty", "client.reconnect", "mining.remote", "mining.authorize_admin",
                             "mining.get_transactions", "rpc.discover"}) {
    INFO(method);
    CHECK(is<unknown_method>(method, "[]"));
  }
  line_decoder decoder;
  CHECK(decoder.miner_body_of<unknown_method>(request("mining.submit\\u0000x", "[]")).name == "mining.submit\0x"s);
}

TEST_CASE("a response from a miner is recognised as one") {
  line_decoder decoder;
  decoder.miner_body_of<miner_response>(R"({"id":3,"result":true,"error":null})");
  decoder.miner_body_of<miner_response>(R"({"id":null,"result":"cgminer/4.9"})");
  decoder.miner_body_of<miner_response>(R"({"id":1,"error":[20,"x",null]})");
  CHECK(decoder.miner(R"({"id":null,"result":1})")->id == "null");
}
