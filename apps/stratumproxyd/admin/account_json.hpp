#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <stratumproxy/metrics.hpp>

#include "admin/json_answer.hpp"
#include "store/store.hpp"

namespace stratumproxyd {

/// The members from `name` to `pools`: what the account is.
void put_account(json_answer& out, const user_record& account);
/// The members `last_seen` and those of the totals. With workers it was seen `now`: the table is some minutes behind.
void put_seen_and_totals(json_answer& out, const user_record& account, std::uint64_t workers, moment now);

/// sent, accepted, rejected, unknown, difficulty_one_accepted
void put_counts(json_answer& out, std::uint64_t sent, std::uint64_t accepted, std::uint64_t rejected, std::uint64_t unknown,
                double accepted_one);

}  // namespace stratumproxyd
