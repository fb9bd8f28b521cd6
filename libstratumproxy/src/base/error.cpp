#include <string>

#include "stratumproxy/result.hpp"

namespace stratumproxy {
namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "stratumproxy"; }

  std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
      case errc::not_json: return "parse error";
      case errc::not_an_object: return "not a JSON object";
      case errc::bad_id: return "bad id";
      case errc::bad_method: return "neither a request nor a response";
      case errc::bad_params: return "bad parameters";
      case errc::line_too_long: return "line too long";
      case errc::bad_address: return "not a HOST:PORT address";
      case errc::address_in_use: return "address already in use";
      case errc::out_of_range: return "number out of range";
    }
    return "unknown error " + std::to_string(value);
  }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const category instance;
  return instance;
}

}  // namespace stratumproxy
