#pragma once

#include <system_error>
#include <utility>
#include <variant>

namespace stratumproxy {

/// What can be wrong with something a peer or the operating system handed to the proxy.
enum class errc {
  not_json = 1,     ///< the line is not one JSON value, has invalid UTF-8, a NUL, a duplicate key, or is too deep
  not_an_object,    ///< valid JSON, but not a JSON-RPC object
  bad_id,           ///< the id is an object, an array, or longer than 64 bytes
  bad_method,       ///< neither a request nor a response: method missing or not a string
  bad_params,       ///< a known message with parameters that cannot be used
  line_too_long,    ///< more bytes without a line end than the limit allows
  bad_address,      ///< not a HOST:PORT
  address_in_use,   ///< another process listens there
  out_of_range,     ///< a number outside of the range that the protocol allows
};

[[nodiscard]] const std::error_category& error_category() noexcept;
[[nodiscard]] inline std::error_code make_error_code(errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

/// A value or the reason why there is none; shaped like std::expected, which C++20 lacks.
template <class T>
class [[nodiscard]] result {
 public:
  result(T value) : state_(std::in_place_index<0>, std::move(value)) {}                // NOLINT: implicit by design
  result(std::error_code error) : state_(std::in_place_index<1>, error) {}            // NOLINT
  result(errc error) : state_(std::in_place_index<1>, make_error_code(error)) {}      // NOLINT

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  /// Only while has_value() holds.
  [[nodiscard]] T& operator*() noexcept { return *std::get_if<0>(&state_); }
  [[nodiscard]] const T& operator*() const noexcept { return *std::get_if<0>(&state_); }
  [[nodiscard]] T* operator->() noexcept { return std::get_if<0>(&state_); }
  [[nodiscard]] const T* operator->() const noexcept { return std::get_if<0>(&state_); }

  /// The reason; an empty code while has_value() holds.
  [[nodiscard]] std::error_code error() const noexcept {
    const auto* code = std::get_if<1>(&state_);
    return code ? *code : std::error_code{};
  }

 private:
  std::variant<T, std::error_code> state_;
};

}  // namespace stratumproxy

template <>
struct std::is_error_code_enum<stratumproxy::errc> : std::true_type {};
