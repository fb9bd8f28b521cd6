#include <catch2/catch.hpp>
#include <cstdlib>
#include <new>
#include <span>
#include <string>
#include <string_view>

#include "stratumproxy/protocol/codec.hpp"
#include "stratumproxy/protocol/line_framer.hpp"

using namespace stratumproxy;
using namespace stratumproxy::protocol;

namespace {

thread_local std::size_t allocations = 0;

void* counted(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}

}  // namespace

// For the whole executable: what RapidJSON takes from malloc directly is only its stack, once for each decoder.
void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size ? size : 1);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size ? size : 1);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

constexpr std::string_view stream =
    R"({"id":4711,"method":"mining.submit","params":["account.rig","1f","000001","66a00000","0000abcd","1fffe000"]})"
    "\n"
    R"({"id":"a string","method":"mining.submit","params":["account.rig","1f","000001","66a00000","0000abcd"]})"
    "\n";
constexpr std::string_view accepted = R"({"id":4711,"result":true,"error":null})";
constexpr std::string_view rejected = R"({"id":4712,"result":null,"error":[21,"Job not found",null]})";

// One share there and back, as a shard does it; the strings keep their capacity from share to share.
class share_path {
 public:
  bool run() {
    miner_bytes_.assign(stream);
    framer_.feed(miner_bytes_);
    bool good = true;
    for (auto line = framer_.next(); line && !line->empty(); line = framer_.next()) {
      const auto message = decoder_.decode_miner(*line);
      const auto* share = message ? std::get_if<submit>(&message->body) : nullptr;
      good = good && share && *parse_job_id(share->job) == 0x1f;
      if (!good) return false;
      up_.clear();
      encode_submit_request(up_, 4711,
                            {"wallet.rig", "pool job", "0a0b", share->extranonce2, *parse_hex32(share->ntime),
                             *parse_hex32(share->nonce), std::nullopt});
      down_.clear();
      encode_true(down_, message->id);
    }
    framer_.keep();
    for (const auto answer : {accepted, rejected}) {
      pool_bytes_.assign(answer);
      const auto message = decoder_.decode_pool(pool_bytes_, 2);
      const auto* verdict = message ? std::get_if<pool_response>(&message->body) : nullptr;
      if (!verdict || verdict->accepts() != (answer == accepted)) return false;
      encode_rejected(down_, "1", verdict->error_code, verdict->error_text);
    }
    encode_set_difficulty(down_, 16383.75);
    return good;
  }

 private:
  decoder decoder_;
  line_framer framer_{8192};
  std::string miner_bytes_, pool_bytes_, up_, down_;
};

}  // namespace

TEST_CASE("the codec allocates nothing on the share path in steady state") {
  share_path path;
  REQUIRE(path.run());
  bool good = true;
  const auto before = allocations;
  for (int i = 0; i < 1000; ++i) good = path.run() && good;
  const auto after = allocations;
  CHECK(good);
  CHECK(after == before);

  int* volatile kept = new int(1);  // a compiler may leave out what nobody could see
  delete kept;
  CHECK(allocations > after);  // they are counted at all
}
