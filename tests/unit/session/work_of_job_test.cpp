#include <catch2/catch.hpp>

#include <string>
#include <variant>
#include <vector>

#include <stratumproxy/protocol/codec.hpp>

#include "session/work_of_job.hpp"

using namespace stratumproxy;

namespace {

const std::string prevhash = "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210";

[[nodiscard]] protocol::job decode(std::string line) {
  protocol::decoder decoder;
  auto message = decoder.decode_pool({line.data(), line.size()}, 2);
  REQUIRE(message);
  REQUIRE(std::holds_alternative<protocol::job>(message->body));
  return std::get<protocol::job>(message->body);
}

[[nodiscard]] std::string notify(const std::string& branches) {
  return R"({"id":null,"method":"mining.notify","params":["j1",")" + prevhash + R"(","01ab","02CD03",[)" + branches +
         R"(],"20000004","1d00ffff","66a00000",true]})";
}

}  // namespace

TEST_CASE("A job as it is sent to miners is read for checks") {
  const auto work = session::work_of(decode(notify("\"" + std::string(64, 'a') + "\", \"" + std::string(64, 'b') + "\"")));
  REQUIRE(work != nullptr);
  CHECK(work->coinb1 == std::vector<std::uint8_t>{0x01, 0xab});
  CHECK(work->coinb2 == std::vector<std::uint8_t>{0x02, 0xcd, 0x03});
  REQUIRE(work->branches.size() == 2);
  CHECK(work->branches[0][0] == 0xaa);
  CHECK(work->branches[1][31] == 0xbb);
  CHECK(work->version == 0x20000004);
  CHECK(work->nbits == 0x1d00ffff);
  // Each word of the pool's form is reversed.
  CHECK(work->prevhash[0] == 0x33);
  CHECK(work->prevhash[3] == 0x00);
  CHECK(work->prevhash[28] == 0x10);
  CHECK(work->prevhash[31] == 0x76);
}

TEST_CASE("A job without branches is a block of one transaction") {
  const auto work = session::work_of(decode(notify("")));
  REQUIRE(work != nullptr);
  CHECK(work->branches.empty());
}
