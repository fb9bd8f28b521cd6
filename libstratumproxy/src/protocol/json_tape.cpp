#include "protocol/json_tape.hpp"

#include <array>
#include <cstring>

#include "protocol/json_text.hpp"
#include "stratumproxy/result.hpp"

// The reader's stack adds to a null pointer when it is first used. No harm in practice, but clang's sanitizer reports it.
#ifdef __clang__
#pragma clang attribute push(__attribute__((no_sanitize("pointer-overflow"))), apply_to = function)
#endif
#include <rapidjson/reader.h>
#ifdef __clang__
#pragma clang attribute pop
#endif

// The names are RapidJSON's.
// NOLINTBEGIN(readability-identifier-naming)
namespace stratumproxy::protocol {
namespace {

// RapidJSON's own in-place stream trusts a terminating NUL, which a line inside of a read buffer does not have.
class bounded_stream {
 public:
  using Ch = char;

  explicit bounded_stream(std::span<char> text) noexcept
      : begin_(text.data()), source_(begin_), target_(begin_), end_(begin_ + text.size()) {}

  /// Puts all that comes before the next character which a string cannot just have. True when that was any.
  bool put_plain() noexcept {
    const Ch* const from = source_;
    while (source_ != end_ && is_plain(*source_)) ++source_;
    const auto size = static_cast<std::size_t>(source_ - from);
    if (target_ != from) std::memmove(target_, from, size);
    target_ += size;
    return size != 0;
  }

  Ch Peek() const noexcept { return source_ == end_ ? '\0' : *source_; }
  Ch Take() noexcept { return source_ == end_ ? '\0' : *source_++; }
  std::size_t Tell() const noexcept { return static_cast<std::size_t>(source_ - begin_); }

  Ch* PutBegin() noexcept { return target_ = source_; }
  // The reader puts what it takes, also the '\0' that it takes at the end of a cut-off UTF-8 sequence.
  void Put(Ch c) noexcept {
    if (target_ != source_) *target_++ = c;
  }
  std::size_t PutEnd(Ch* begin) const noexcept { return static_cast<std::size_t>(target_ - begin); }

 private:
  Ch* begin_;
  Ch* source_;
  Ch* target_;
  Ch* end_;
};

// UTF-8 that is checked. Nearly all of a line is hex in strings, which RapidJSON would check a character at a time.
struct checked_utf8 : rapidjson::UTF8<char> {
  using UTF8::Validate;  // the reader compiles another way out, too, which in-place reading never takes
  static bool Validate(bounded_stream& in, bounded_stream& out) {
    return in.put_plain() || rapidjson::UTF8<char>::Validate(in, out);
  }
};

}  // namespace
}  // namespace stratumproxy::protocol

// Numbers taken as strings start where the original stream stood: right only if the reader works on a copy of it.
template <>
struct rapidjson::StreamTraits<stratumproxy::protocol::bounded_stream> {
  enum { copyOptimization = 1 };
};

namespace stratumproxy::protocol {
namespace {

class handler {
 public:
  explicit handler(std::vector<json_node>& nodes) noexcept : nodes_(nodes) {}

  bool Null() { return value(json_kind::null, {}); }
  bool Bool(bool value_of) { return value(value_of ? json_kind::true_ : json_kind::false_, {}); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) { return value(json_kind::number, {text, size}); }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    return !has_surrogate({text, size}) && value(json_kind::string, {text, size});
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    const std::string_view key(text, size);
    auto& object = nodes_[open_[depth_ - 1]];
    if (object.size == json_tape::max_members || has_surrogate(key)) return false;
    // Which of two equal keys counts differs between parsers: a line with both can pass one check and mean another thing.
    const auto* member = &object + 1;
    for (std::uint32_t i = 0; i < object.size; ++i) {
      if (member->text == key) return false;
      member += 1 + (member + 1)->extent;
    }
    ++object.size;
    return push(json_kind::string, key);
  }

  bool StartObject() { return open(json_kind::object); }
  bool StartArray() { return open(json_kind::array); }
  bool EndObject(rapidjson::SizeType) { return close(); }
  bool EndArray(rapidjson::SizeType) { return close(); }

  // Never called: numbers are taken as strings.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }

 private:
  // RapidJSON encodes an escaped low surrogate that has no partner as three bytes that are no UTF-8.
  static bool has_surrogate(std::string_view text) noexcept {
    for (auto at = text.find('\xed'); at != text.npos; at = text.find('\xed', at + 1)) {
      if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) >= 0xa0) return true;
    }
    return false;
  }

  bool push(json_kind kind, std::string_view text) {
    if (nodes_.size() == json_tape::max_values) return false;
    nodes_.push_back({text, 1, 0, kind});
    return true;
  }

  bool value(json_kind kind, std::string_view text) {
    if (depth_ > 0 && nodes_[open_[depth_ - 1]].kind == json_kind::array) ++nodes_[open_[depth_ - 1]].size;
    return push(kind, text);
  }

  bool open(json_kind kind) {
    if (depth_ == open_.size() || !value(kind, {})) return false;
    open_[depth_++] = static_cast<std::uint32_t>(nodes_.size() - 1);
    return true;
  }

  bool close() {
    const auto index = open_[--depth_];
    nodes_[index].extent = static_cast<std::uint32_t>(nodes_.size() - index);
    return true;
  }

  std::vector<json_node>& nodes_;
  std::array<std::uint32_t, json_tape::max_depth> open_{};
  std::size_t depth_ = 0;
};

}  // namespace
// NOLINTEND(readability-identifier-naming)

struct json_tape::reader {
  rapidjson::GenericReader<checked_utf8, checked_utf8> parser;  // keeps its stack
};

json_tape::json_tape() : reader_(std::make_unique<reader>()) { nodes_.reserve(64); }

json_tape::~json_tape() = default;

std::error_code json_tape::parse(std::span<char> line) {
  constexpr unsigned flags = rapidjson::kParseInsituFlag | rapidjson::kParseIterativeFlag |
                             rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNumbersAsStringsFlag;
  nodes_.clear();
  // To RapidJSON a NUL is the end of the text: what stands behind it would go unread.
  if (line.empty() || std::memchr(line.data(), 0, line.size())) return errc::not_json;

  bounded_stream stream(line);
  handler events(nodes_);
  if (reader_->parser.Parse<flags>(stream, events).IsError()) {
    nodes_.clear();
    return errc::not_json;
  }
  return {};
}

json_value json_value::operator[](std::size_t index) const noexcept {
  if (!is_array() || index >= size()) return {};
  auto element = begin();
  while (index-- > 0) ++element;
  return *element;
}

json_value json_value::find(std::string_view key) const noexcept {
  if (!is_object()) return {};
  for (auto member = begin(); member != end(); ++member) {
    const bool found = (*member).text() == key;
    ++member;
    if (found) return *member;
  }
  return {};
}

}  // namespace stratumproxy::protocol
