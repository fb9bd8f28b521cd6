#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>

#include "stratumproxy/protocol/codec.hpp"

using namespace stratumproxy;
using namespace stratumproxy::protocol;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

// A job that is sent on as it came is read as the same job again: nothing in it changes on the way.
void relay(const job& work, unsigned coinb1_index) {
  std::string line;
  encode_notify(line, work, 1, "", work.ntime, work.clean);
  require(line.find('\n') == line.size() - 1);
  for (const char c : line) require(static_cast<unsigned char>(c) < 0x80);
  line.pop_back();
  decoder reader;
  const auto again = reader.decode_pool(line, coinb1_index);
  require(again.has_value());
  const auto* copy = std::get_if<job>(&again->body);
  require(copy && copy->pool_id == "1" && copy->text == work.text && copy->clean == work.clean &&
          copy->clean_at == work.clean_at && copy->ntime_at == work.ntime_at && copy->splice_at == work.splice_at);
}

void check(const pool_message& message, unsigned coinb1_index) {
  if (const auto* work = std::get_if<job>(&message.body)) {
    require(!work->pool_id.empty() && work->pool_id.size() <= 256);
    relay(*work, coinb1_index);
  } else if (const auto* difficulty = std::get_if<set_difficulty>(&message.body)) {
    require(difficulty->value >= 0x1p-32 && difficulty->value <= 0x1p64);
  } else if (const auto* extranonce = std::get_if<set_extranonce>(&message.body)) {
    require(extranonce->extranonce1.size() <= 64 && extranonce->extranonce2_size >= 1 && extranonce->extranonce2_size <= 16);
  } else if (const auto* response = std::get_if<pool_response>(&message.body)) {
    require(!response->accepts() || response->succeeded());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static decoder reader;
  const unsigned coinb1_index = size % 2 == 0 ? 2 : 3;
  std::string line(reinterpret_cast<const char*>(data), size);
  const auto message = reader.decode_pool(line, coinb1_index);
  if (message) check(*message, coinb1_index);
  if (const auto answer = reader.as_subscribe_result()) {
    require(answer->extranonce1.size() % 2 == 0 && answer->extranonce1.size() <= 64);
    require(answer->extranonce2_size >= 1 && answer->extranonce2_size <= 16);
  }
  static_cast<void>(reader.as_configure_result());
  return 0;
}
