#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <stratumproxy/algorithm.hpp>

#include "admin/json_answer.hpp"
#include "admin/json_body.hpp"
#include "store/store.hpp"

namespace stratumproxyd {

/// The members of a row. A pool without a divider of its own has none, or with `complete` one that is null.
void put_members(json_answer& out, const stratumproxy::algorithm::info& row);
void put_members(json_answer& out, const pool_record& row, bool complete = false);

/// With its quotes; another one for every value that the row can have.
[[nodiscard]] std::string etag_of(const stratumproxy::algorithm::info& row);
[[nodiscard]] std::string etag_of(const pool_record& row);
/// Throws refusal when the request names the ETag of another state of the row.
void require_etag(std::string_view if_match, const std::string& etag);

/// What the members say about a row; those that are not given leave it as it is. Throws refusal.
[[nodiscard]] algorithm_edit read_algorithm_edit(json_body& members);
[[nodiscard]] pool_edit read_pool_edit(json_body& members);
[[nodiscard]] std::function<void(stratumproxy::pool_tls&)> read_tls_edit(json_body& members);

/// The text, when it is one. Throws refusal.
[[nodiscard]] std::string login_template(const std::string& text);
inline constexpr const char* bad_algorithm_name =
    "names of algorithms consist of 1 to 64 letters, digits and the characters - _ . / +";

}  // namespace stratumproxyd
