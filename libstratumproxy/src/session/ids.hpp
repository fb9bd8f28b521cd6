#pragma once

#include <cstdint>

namespace stratumproxy::session {

/// One worker of the shard, from its first connection to the end of its session. Never used twice.
enum class worker_id : std::uint64_t {};
/// One link of the shard, over all of its reconnects. Never used twice.
enum class link_id : std::uint64_t {};

}  // namespace stratumproxy::session
