#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

namespace stratumproxy::protocol {

enum class json_kind : std::uint8_t { missing, null, false_, true_, number, string, array, object };

/// One value of a parsed line. A container is followed by its contents; `extent` counts the nodes of the whole value, itself
/// included, so that `node + extent` is the next sibling. The contents of an object alternate: key, value, key, value.
struct json_node {
  std::string_view text;  // of a string: decoded; of a number: as written
  std::uint32_t extent = 1;
  std::uint32_t size = 0;  // elements or members
  json_kind kind = json_kind::null;
};

/// A view of one value. What is not there is a value of kind `missing`, so that look-ups chain without checks.
class json_value {
 public:
  class iterator {
   public:
    explicit iterator(const json_node* node) noexcept : node_(node) {}
    json_value operator*() const noexcept { return json_value(node_); }
    iterator& operator++() noexcept {
      node_ += node_->extent;
      return *this;
    }
    bool operator==(const iterator&) const noexcept = default;

   private:
    const json_node* node_;
  };

  json_value() = default;
  explicit json_value(const json_node* node) noexcept : node_(node) {}

  [[nodiscard]] json_kind kind() const noexcept { return node_ ? node_->kind : json_kind::missing; }
  [[nodiscard]] bool is_string() const noexcept { return kind() == json_kind::string; }
  [[nodiscard]] bool is_number() const noexcept { return kind() == json_kind::number; }
  [[nodiscard]] bool is_array() const noexcept { return kind() == json_kind::array; }
  [[nodiscard]] bool is_object() const noexcept { return kind() == json_kind::object; }
  [[nodiscard]] bool is_bool() const noexcept { return kind() == json_kind::true_ || kind() == json_kind::false_; }
  [[nodiscard]] bool is_nothing() const noexcept { return kind() == json_kind::missing || kind() == json_kind::null; }

  /// Of a string or a number; "" for any other value.
  [[nodiscard]] std::string_view text() const noexcept { return node_ ? node_->text : std::string_view{}; }
  /// Of a string; "" for any other value.
  [[nodiscard]] std::string_view string() const noexcept { return is_string() ? text() : std::string_view{}; }
  /// Elements of an array or members of an object.
  [[nodiscard]] std::size_t size() const noexcept { return node_ ? node_->size : 0; }

  /// An element of an array. Walks from the first: for positions near the front.
  [[nodiscard]] json_value operator[](std::size_t index) const noexcept;
  /// The value of a member of an object.
  [[nodiscard]] json_value find(std::string_view key) const noexcept;

  /// Over the elements of an array; over keys and values, alternating, of an object; over nothing for any other value.
  [[nodiscard]] iterator begin() const noexcept { return iterator(node_ ? node_ + 1 : nullptr); }
  [[nodiscard]] iterator end() const noexcept { return iterator(node_ ? node_ + node_->extent : nullptr); }

 private:
  const json_node* node_ = nullptr;
};

/// Parses one line in place into a flat list that is reused from line to line.
class json_tape {
 public:
  static constexpr std::size_t max_depth = 8;
  static constexpr std::size_t max_members = 64;
  static constexpr std::size_t max_values = 8192;  // what a decoder may keep allocated: 256 KiB

  json_tape();
  ~json_tape();

  /// not_json, or an empty code. root() is valid until the next call, while the line's bytes live.
  [[nodiscard]] std::error_code parse(std::span<char> line);
  [[nodiscard]] json_value root() const noexcept { return nodes_.empty() ? json_value{} : json_value(nodes_.data()); }

 private:
  struct reader;
  std::vector<json_node> nodes_;
  std::unique_ptr<reader> reader_;
};

}  // namespace stratumproxy::protocol
