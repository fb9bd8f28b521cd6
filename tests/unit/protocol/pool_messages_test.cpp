#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "line_decoder.hpp"

using namespace stratumproxy;
using namespace stratumproxy::protocol;
using namespace std::string_literals;

namespace {

std::string push(std::string_view method, std::string_view params) {
  return R"({"id":null,"method":")" + std::string(method) + R"(","params":)" + std::string(params) + "}";
}

bool is_bad(std::string_view method, std::string_view params) {
  line_decoder decoder;
  const auto message = decoder.pool(push(method, params));
  const auto* bad = message ? std::get_if<bad_message>(&message->body) : nullptr;
  return bad && bad->method == method;
}

}  // namespace

TEST_CASE("a pool's verdict is read: only true without an error accepts") {
  struct row {
    const char* members;
    bool accepts;
    bool succeeds;
  };
  const auto [members, accepts, succeeds] =
      GENERATE(row{R"("result":true,"error":null)", true, true}, row{R"("result":true)", true, true},
               row{R"("error":null,"result":true)", true, true}, row{R"("result":false,"error":null)", false, false},
               row{R"("result":null,"error":null)", false, true}, row{R"("result":null)", false, true},
               row{R"("result":[],"error":null)", false, true}, row{R"("result":{},"error":null)", false, true},
               row{R"("result":1,"error":null)", false, true}, row{R"("result":"true","error":null)", false, true},
               row{R"("result":true,"error":[21,"x",null])", false, false}, row{R"("result":true,"error":"")", false, false},
               row{R"("result":true,"error":false)", false, false}, row{R"("error":null)", false, true},
               row{R"("result":null,"error":[20,"x",null])", false, false});
  INFO(members);
  line_decoder decoder;
  const auto response = decoder.pool_body_of<pool_response>(R"({"id":5,)"s + members + "}");
  CHECK(response.id == 5u);
  CHECK(response.accepts() == accepts);
  CHECK(response.succeeded() == succeeds);
}

TEST_CASE("the reason is found in every shape of error that pools use") {
  struct row {
    const char* error;
    int code;
    const char* text;
  };
  const auto [error, code, text] = GENERATE(
      row{R"([21,"Job not found",null])", 21, "Job not found"}, row{R"([23,"Low difficulty",""])", 23, "Low difficulty"},
      row{R"([22,"Duplicate"])", 22, "Duplicate"}, row{"[25]", 25, ""}, row{"[]", 20, ""}, row{R"(["a","b","c"])", 20, "b"},
      row{R"(["Stale"])", 20, "Stale"}, row{R"(["21","Stale",null])", 21, "Stale"},
      row{R"([-5,"Too low difficulty",null])", -5, "Too low difficulty"}, row{"[null,null,null]", 20, ""},
      row{R"([24.0,"x",null])", 24, "x"}, row{R"([24.5,"x",null])", 20, "x"}, row{R"([1e300,"x",null])", 20, "x"},
      row{R"([[1],{"a":2},null])", 20, ""},
      row{R"({"code":22,"message":"duplicate share","data":null})", 22, "duplicate share"},
      row{R"({"message":"Method not found","code":-32601})", -32601, "Method not found"}, row{"{}", 20, ""},
      row{R"({"code":"x","message":5})", 20, ""}, row{R"("Stale")", 20, "Stale"}, row{"21", 21, ""}, row{"true", 20, ""});
  INFO(error);
  line_decoder decoder;
  const auto response = decoder.pool_body_of<pool_response>(R"({"id":5,"result":null,"error":)"s + error + "}");
  CHECK(response.has_error);
  CHECK(response.error_code == code);
  CHECK(response.error_text == text);
}

TEST_CASE("ckpool's reject-reason is the reason where there is no error") {
  line_decoder decoder;
  const auto response =
      decoder.pool_body_of<pool_response>(R"({"reject-reason":"Above target 2","result":false,"error":null,"id":8})");
  CHECK_FALSE(response.has_error);
  CHECK_FALSE(response.succeeded());
  CHECK(response.error_text == "Above target 2");
  CHECK(response.error_code == 20);
  CHECK(decoder.pool_body_of<pool_response>(R"({"reject-reason":"a","result":false,"error":[21,"b"],"id":8})").error_text ==
        "b");
}

TEST_CASE("only an integer is an id of ours") {
  line_decoder decoder;
  CHECK(decoder.pool_body_of<pool_response>(R"({"id":18446744073709551615,"result":true})").id == 18446744073709551615u);
  for (const auto* id : {R"("5")", "null", "5.0", "-5", "1e1", "18446744073709551616", R"("txlist5")"}) {
    INFO(id);
    CHECK_FALSE(decoder.pool_body_of<pool_response>(R"({"id":)"s + id + R"(,"result":true})").id);
  }
  CHECK_FALSE(decoder.pool_body_of<pool_response>(R"({"result":true})").id);
}

TEST_CASE("a request of a pool keeps its id for the answer") {
  line_decoder decoder;
  CHECK(decoder.pool(R"({"id":10,"method":"client.get_version","params":[]})")->id == "10");
  CHECK(decoder.pool(R"({"method":"mining.set_difficulty","params":[1]})")->id == "null");
  decoder.pool_body_of<get_version>(R"({"id":10,"method":"client.get_version"})");
  decoder.pool_body_of<ping>(R"({"id":77,"method":"mining.ping","params":[]})");
}

TEST_CASE("a push is told from a response by its method, whatever else it has") {
  line_decoder decoder;
  const auto line = R"({"id":0,"result":null,"error":null,"method":"mining.set_version_mask","params":["1fffe000"]})";
  CHECK(decoder.pool_body_of<set_version_mask>(line).mask == 0x1fffe000);
}

TEST_CASE("a difficulty is a number in range") {
  const auto difficulty = [](std::string_view params) {
    line_decoder decoder;
    return decoder.pool_body_of<set_difficulty>(push("mining.set_difficulty", params)).value;
  };
  CHECK(difficulty("[1024]") == 1024);
  CHECK(difficulty("[1024.0]") == 1024);
  CHECK(difficulty("[16383.75]") == 16383.75);
  CHECK(difficulty("[0.0005430825985877853]") == 0.0005430825985877853);
  CHECK(difficulty("[1e3]") == 1000);
  CHECK(difficulty("[4294967295,1]") == 4294967295.0);
  CHECK(difficulty("[18446744073709551616]") == 0x1p64);
  CHECK(difficulty("[2.3283064365386962890625e-10]") == 0x1p-32);
  for (const auto* params : {"[0]", "[-1]", "[1e-300]", "[1e308]", R"(["8"])", "[null]", "[]", "[[8]]", "{}", "null", "8",
                             "[2e-10]", "[1.9e19]", "[true]"}) {
    INFO(params);
    CHECK(is_bad("mining.set_difficulty", params));
  }
}

TEST_CASE("an extranonce change has whole bytes and a size") {
  line_decoder decoder;
  const auto change = decoder.pool_body_of<set_extranonce>(push("mining.set_extranonce", R"(["deadBEEF",8])"));
  CHECK(change.extranonce1 == "deadBEEF");
  CHECK(change.extranonce2_size == 8);
  CHECK(decoder.pool_body_of<set_extranonce>(push("mining.set_extranonce", R"(["",16])")).extranonce1.empty());
  for (const auto* params :
       {R"(["aabb"])", R"(["aab",4])", R"(["aabg",4])", R"(["aabb",0])", R"(["aabb",17])", R"(["aabb",-1])", R"(["aabb","4"])",
        R"(["aabb",4.5])", R"(["aabb",null])", "[4,4]", "[]", "null", "{}"}) {
    INFO(params);
    CHECK(is_bad("mining.set_extranonce", params));
  }
  CHECK_FALSE(is_bad("mining.set_extranonce", "[\"" + std::string(64, 'a') + "\",4]"));
  CHECK(is_bad("mining.set_extranonce", "[\"" + std::string(66, 'a') + "\",4]"));
}

TEST_CASE("a version mask is hex") {
  line_decoder decoder;
  CHECK(decoder.pool_body_of<set_version_mask>(push("mining.set_version_mask", R"(["00000000"])")).mask == 0);
  CHECK(decoder.pool_body_of<set_version_mask>(push("mining.set_version_mask", R"(["1FFFE000"])")).mask == 0x1fffe000);
  for (const auto* params :
       {R"(["zzzz"])", R"([""])", "[536862720]", R"(["1fffe0000"])", "[]", "[null]", R"(["-1"])", R"([" 1"])"}) {
    INFO(params);
    CHECK(is_bad("mining.set_version_mask", params));
  }
}

TEST_CASE("a message to show is a text") {
  line_decoder decoder;
  CHECK(decoder.pool_body_of<show_message>(push("client.show_message", R"(["\u001b]0;x\n"])")).text == "\x1b]0;x\n");
  CHECK(is_bad("client.show_message", "[]"));
  CHECK(is_bad("client.show_message", "[5]"));
}

TEST_CASE("client.reconnect names a host and a port, or neither") {
  line_decoder decoder;
  const auto target = [&](std::string_view params) {
    return decoder.pool_body_of<reconnect>(push("client.reconnect", params));
  };
  CHECK(target("[]").host.empty());
  CHECK(target("null").port == 0);
  CHECK(target(R"(["eu.pool.example",3333,0])").host == "eu.pool.example");
  CHECK(target(R"(["eu.pool.example",3333,0])").port == 3333);
  CHECK(target(R"(["eu.pool.example","3334",2147483648])").port == 3334);
  CHECK(target(R"(["eu.pool.example"])").port == 0);
  CHECK(target("[null,null,null]").host.empty());
  for (const auto* params : {R"(["h","3333;id"])", R"(["h",0])", R"(["h",65536])", R"(["h",-1])", R"(["h",3.5])", R"(["h",[]])",
                             "[5,5]", R"([["h"],5])", R"("h:5")", "{}"}) {
    INFO(params);
    CHECK(is_bad("client.reconnect", params));
  }
  CHECK(is_bad("client.reconnect", "[\"" + std::string(256, 'a') + "\",3333]"));
}

TEST_CASE("what a pool has no business to send is unknown") {
  line_decoder decoder;
  for (const auto* method :
       {"mining.submit", "mining.authorize", "mining.set_target", "set_extranonce", "mining.set_goal", ""}) {
    CHECK(decoder.pool_body_of<unknown_method>(push(method, "[]")).name == method);
  }
}
