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

// What we write must be one line that the codec itself takes for valid JSON.
void require_readable(std::string line) {
  require(!line.empty() && line.find('\n') == line.size() - 1);
  for (const char c : line) require(static_cast<unsigned char>(c) < 0x80);
  line.pop_back();
  decoder reader;
  require(reader.decode_miner(line).has_value());
}

void echo(const miner_message& message) {
  std::string out;
  encode_true(out, message.id);
  require_readable(out);

  out.clear();
  if (const auto* asked = std::get_if<configure>(&message.body)) {
    require(asked->unknown_count <= configure::max_unknown);
    encode_configured(out, message.id, *asked, asked->mask);
  } else if (const auto* hello = std::get_if<subscribe>(&message.body)) {
    encode_subscribe_request(out, 1, hello->agent, hello->session);
  } else if (const auto* login = std::get_if<authorize>(&message.body)) {
    encode_authorize_request(out, 1, login->user, login->password);
  } else if (const auto* share = std::get_if<submit>(&message.body)) {
    encode_submit_request(out, 1,
                          {share->worker, share->job, "0a", "0b", parse_hex32(share->ntime).value_or(0),
                           parse_hex32(share->nonce).value_or(0), std::nullopt});
  } else if (const auto* wish = std::get_if<suggest_difficulty>(&message.body)) {
    require(wish->value >= 0);
    encode_suggest_difficulty_request(out, 1, wish->value);
  } else if (const auto* unknown = std::get_if<unknown_method>(&message.body)) {
    encode_error(out, message.id, 20, unknown->name);
  } else {
    return;
  }
  require_readable(out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static decoder reader;  // keeps its memory from line to line, as on a shard
  static_cast<void>(detect_intruder({reinterpret_cast<const char*>(data), size}));
  std::string line(reinterpret_cast<const char*>(data), size);
  if (const auto message = reader.decode_miner(line)) echo(*message);
  return 0;
}
