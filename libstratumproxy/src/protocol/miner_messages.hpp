#pragma once

#include <string_view>

#include "protocol/json_tape.hpp"
#include "stratumproxy/protocol/messages.hpp"

namespace stratumproxy::protocol {

/// What a miner asks for. `params` may be of any kind, or missing.
[[nodiscard]] miner_body read_miner_request(std::string_view method, json_value params);

}  // namespace stratumproxy::protocol
