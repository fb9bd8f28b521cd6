#include <utility>

#include "protocol/json_tape.hpp"
#include "protocol/json_text.hpp"
#include "protocol/miner_messages.hpp"
#include "protocol/pool_messages.hpp"
#include "stratumproxy/protocol/codec.hpp"

namespace stratumproxy::protocol {
namespace {

constexpr std::size_t max_id = 64;

// `method` present: a request or a notification; else a response. Ids tell nothing: pools push with id 0 and with real ones.
std::error_code check_method(json_value root) noexcept {
  const auto method = root.find("method");
  if (method.is_string()) return {};
  const bool is_response = root.find("result").kind() != json_kind::missing || root.find("error").kind() != json_kind::missing;
  if (method.kind() == json_kind::missing && is_response) return {};
  return errc::bad_method;
}

}  // namespace

struct decoder::impl {
  json_tape tape;
  std::string id;

  impl() { id.reserve(2 + max_id * 6); }  // a string of which each byte needs an escape

  std::error_code parse(std::span<char> line) {
    if (const auto error = tape.parse(line)) return error;
    if (!tape.root().is_object()) return errc::not_an_object;
    if (const auto error = read_id(tape.root().find("id"))) return error;
    return check_method(tape.root());
  }

  std::error_code read_id(json_value value) {
    id.clear();
    switch (value.kind()) {
      case json_kind::missing:
      case json_kind::null: id += "null"; return {};
      case json_kind::number:
        if (value.text().size() > max_id) return errc::bad_id;
        // JSON has 1e309, but most parsers have no number for it, and the miner's may be one of them.
        if (!parse_double(value.text())) return errc::not_json;
        id += value.text();
        return {};
      case json_kind::string:
        if (value.text().size() > max_id) return errc::bad_id;
        append_json_string(id, value.text());
        return {};
      case json_kind::false_:
      case json_kind::true_:
      case json_kind::array:
      case json_kind::object: break;
    }
    return errc::bad_id;
  }
};

decoder::decoder() : impl_(std::make_unique<impl>()) {}
decoder::~decoder() = default;
decoder::decoder(decoder&&) noexcept = default;
decoder& decoder::operator=(decoder&&) noexcept = default;

result<miner_message> decoder::decode_miner(std::span<char> line) {
  if (const auto error = impl_->parse(line)) return error;
  const auto root = impl_->tape.root();
  const auto method = root.find("method");
  const bool notification = root.find("id").kind() == json_kind::missing;
  if (!method.is_string()) return miner_message{impl_->id, notification, miner_response{}};
  return miner_message{impl_->id, notification, read_miner_request(method.text(), root.find("params"))};
}

result<pool_message> decoder::decode_pool(std::span<char> line, unsigned coinb1_index) {
  if (const auto error = impl_->parse(line)) return error;
  const auto root = impl_->tape.root();
  const auto method = root.find("method");
  if (!method.is_string()) return pool_message{impl_->id, read_pool_response(root)};
  return pool_message{impl_->id, read_pool_request(method.text(), root.find("params"), coinb1_index)};
}

result<subscribe_result> decoder::as_subscribe_result() const {
  return read_subscribe_result(impl_->tape.root().find("result"));
}

configure_result decoder::as_configure_result() const { return read_configure_result(impl_->tape.root().find("result")); }

}  // namespace stratumproxy::protocol
