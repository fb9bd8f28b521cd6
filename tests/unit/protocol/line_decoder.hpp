#pragma once

#include <memory>
#include <span>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <variant>

#include "stratumproxy/protocol/codec.hpp"

namespace stratumproxy::protocol {

/// Decodes texts in tests: holds the line that the message's views point into, in a block of exactly its size, so that
/// a sanitizer sees each read past its end. Results are valid until the next call.
class line_decoder {
 public:
  result<miner_message> miner(std::string_view text) { return decoder_.decode_miner(hold(text)); }
  result<pool_message> pool(std::string_view text, unsigned coinb1_index = 2) {
    return decoder_.decode_pool(hold(text), coinb1_index);
  }

  template <class Body>
  Body miner_body_of(std::string_view text) {
    const auto message = miner(text);
    if (!message || !std::holds_alternative<Body>(message->body)) throw std::runtime_error("another message");
    return std::get<Body>(message->body);
  }
  template <class Body>
  Body pool_body_of(std::string_view text, unsigned coinb1_index = 2) {
    auto message = pool(text, coinb1_index);
    if (!message || !std::holds_alternative<Body>(message->body)) throw std::runtime_error("another message");
    return std::get<Body>(std::move(message->body));
  }

  const decoder& last() const { return decoder_; }

 private:
  std::span<char> hold(std::string_view text) {
    line_ = std::make_unique<char[]>(text.size());
    text.copy(line_.get(), text.size());
    return {line_.get(), text.size()};
  }

  decoder decoder_;
  std::unique_ptr<char[]> line_;
};

}  // namespace stratumproxy::protocol
