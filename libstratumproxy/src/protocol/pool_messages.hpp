#pragma once

#include <string_view>

#include "protocol/json_tape.hpp"
#include "stratumproxy/protocol/messages.hpp"
#include "stratumproxy/result.hpp"

namespace stratumproxy::protocol {

/// What a pool asks for or announces. `params` may be of any kind, or missing.
[[nodiscard]] pool_body read_pool_request(std::string_view method, json_value params, unsigned coinb1_index);
/// `root`: the object of a response.
[[nodiscard]] pool_response read_pool_response(json_value root);
[[nodiscard]] result<subscribe_result> read_subscribe_result(json_value answer);
[[nodiscard]] configure_result read_configure_result(json_value answer);

}  // namespace stratumproxy::protocol
