#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "session/line_mask.hpp"

namespace {

std::string masked(const std::string& line, const std::vector<std::string>& secrets = {"pool-secret"}) {
  stratumproxy::session::line_mask mask;
  return std::string(mask.masked(line, secrets));
}

}  // namespace

TEST_CASE("a line without secrets keeps its spelling") {
  for (const std::string line : {
           R"({"id":1,"method":"mining.subscribe","params":["cgminer/4.10.0"]})",
           R"({ "params" : ["a\u0062\/", 1e3, 0.10, -0], "id":null, "method":"mining.notify" })",
           R"({"id":7,"result":true,"error":null})",
           R"({"id":7,"result":null,"error":[23,"low difficulty \"share\"",null]})",
       })
    CHECK(masked(line) == line);
}

TEST_CASE("passwords of logins are masked, whatever form they have") {
  CHECK(masked(R"({"id":2,"method":"mining.authorize","params":["acc.rig","hunter2"]})") ==
        R"({"id":2,"method":"mining.authorize","params":["acc.rig","***"]})");
  CHECK(masked(R"({"params":["acc","a\"b\\","d=1"],"id":2,"method":"mining.authorize"})") ==
        R"({"params":["acc","***","***"],"id":2,"method":"mining.authorize"})");
  CHECK(masked(R"({"id":2,"method":"mining.authorize","params":["acc",12345]})") ==
        R"({"id":2,"method":"mining.authorize","params":["acc",0]})");
  CHECK(masked(R"({"id":2,"method":"mining.authorize","params":[["acc","hunter2"]]})") ==
        R"({"id":2,"method":"mining.authorize","params":[["***","***"]]})");
  CHECK(masked(R"({"id":1,"method":"login","params":{"login":"w","pass":"hunter2","agent":"x"}})").find("hunter2") == std::string::npos);
  CHECK(masked(R"({"id":1,"method":"eth_submitLogin","params":["w","hunter2"],"worker":"r"})").find("hunter2") == std::string::npos);
  CHECK(masked(R"({"id":1,"method":"x","password":"hunter2","deep":[{"passwd":["hunter2"]}]})").find("hunter2") == std::string::npos);
  CHECK(masked(R"({"id":2,"method":"mining.\u0061uthorize","params":["acc","hunter2"]})").find("hunter2") == std::string::npos);
}

TEST_CASE("the pool's password is masked wherever it stands") {
  CHECK(masked(R"({"id":3,"result":false,"error":[24,"bad password pool-secret for user","pool-secret"]})") ==
        R"({"id":3,"result":false,"error":[24,"bad password *** for user","***"]})");
  CHECK(masked(R"({"id":3,"result":"p\u006fol-secret!","pool-secret":1})") == R"({"id":3,"result":"***!","***":1})");
  CHECK(masked(R"({"id":3,"result":"a \"word\" and pool-secret"})") == R"({"id":3,"result":"a \"word\" and ***"})");
}

TEST_CASE("a short password is no reason to spoil words, nor one of digits to spoil a coinbase") {
  const std::string line = R"({"id":null,"method":"mining.notify","params":["x1","0012345600"]})";
  CHECK(masked(line, {"x", "123456", ""}) == line);
  CHECK(masked(R"({"id":1,"result":"123456"})", {"123456"}) == R"({"id":1,"result":"***"})");
}

TEST_CASE("a session is an alias that stays the same") {
  const std::string own = "0123456789abcdef0123456789abcdef";
  const auto reply = masked(R"({"id":1,"result":[[["mining.set_difficulty",")" + own + R"("],["mining.notify",")" + own +
                            R"("]],"00",3],"error":null})");
  CHECK(reply == R"({"id":1,"result":[[["mining.set_difficulty","session-01234567"],["mining.notify","session-01234567"]],"00",3],"error":null})");
  CHECK(masked(R"({"id":1,"method":"mining.subscribe","params":["a/1",")" + own + R"("]})") ==
        R"({"id":1,"method":"mining.subscribe","params":["a/1","session-01234567"]})");

  const auto pools = masked(R"({"id":1,"result":["mining.notify","deadbeef00","08000002",4]})");
  CHECK(pools.find("deadbeef00") == std::string::npos);
  CHECK(pools.find(R"(["mining.notify","session-)") != std::string::npos);
  CHECK(pools.find(R"("08000002",4])") != std::string::npos);
  const auto other = masked(R"({"id":1,"result":["mining.notify","deadbeef01","08000002",4]})");
  CHECK(pools != other);
  CHECK(masked(R"({"id":1,"method":"mining.subscribe","params":["a","deadbeef00"]})").find(pools.substr(34, 16)) != std::string::npos);
}

TEST_CASE("of a line that is no message only its size is told") {
  for (const std::string line : {R"({"id":2,"method":"mining.authorize","params":["acc","hunter2")", R"(["acc","hunter2"])", "hunter2", "\"hunter2\""})
    CHECK(masked(line) == "unusable: " + std::to_string(line.size()) + " bytes");
}
