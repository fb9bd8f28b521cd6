#pragma once

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "admin/http.hpp"

namespace stratumproxyd {

/// An answer of the API under construction: an object, whose last member is an empty "error".
class json_answer {
 public:
  json_answer() : out_(buffer_) { out_.StartObject(); }

  void put(std::string_view key, std::string_view text) {
    put_key(key);
    put_text(text);
  }
  void put(std::string_view key, double value);
  void put(std::string_view key, std::uint64_t value) {
    put_key(key);
    out_.Uint64(value);
  }
  void put(std::string_view key, const std::vector<std::string>& texts);
  void put_flag(std::string_view key, bool value) {
    put_key(key);
    out_.Bool(value);
  }
  void put_null(std::string_view key) {
    put_key(key);
    out_.Null();
  }

  void begin_array(std::string_view key) {
    put_key(key);
    out_.StartArray();
  }
  void end_array() { out_.EndArray(); }
  void begin_object() { out_.StartObject(); }
  void end_object() { out_.EndObject(); }

  /// Once, in the end.
  [[nodiscard]] http_response done();

 private:
  void put_key(std::string_view key) { out_.Key(key.data(), static_cast<rapidjson::SizeType>(key.size())); }
  void put_text(std::string_view text) { out_.String(text.data(), static_cast<rapidjson::SizeType>(text.size())); }

  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> out_;
};

}  // namespace stratumproxyd
