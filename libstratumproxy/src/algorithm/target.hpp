#pragma once

#include <string_view>

namespace stratumproxy::algorithm {

/// The difficulty that a share target stands for: diff1 * divider / target, with diff1 = 0xffff * 2^208 as nearly all Stratum
/// software counts. The target is 64 hex digits, most significant first; 0x in front is allowed. 0 when it is not a target.
/// Good for what a miner suggests, not for judging shares: the result is rounded.
[[nodiscard]] double difficulty_from_target(std::string_view hex64, double divider) noexcept;

}  // namespace stratumproxy::algorithm
