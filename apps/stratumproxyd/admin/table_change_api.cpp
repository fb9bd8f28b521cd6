#include <functional>
#include <string>

#include "admin/handlers.hpp"
#include "admin/json_answer.hpp"
#include "admin/json_body.hpp"
#include "admin/table_json.hpp"
#include "store/text.hpp"

namespace stratumproxyd {
namespace {

template <class Row>
http_response answer(const Row& row) {
  json_answer out;
  put_members(out, row);
  auto response = out.done();
  response.headers.emplace_back("ETag", etag_of(row));
  return response;
}

bool is_done(write_outcome outcome) { return outcome == write_outcome::changed || outcome == write_outcome::exists; }

// A change is answered with the row as it became.
template <class Row, class Write, class Show>
http_response change(const api_context& context, const http_request& request, const std::function<void(Row&)>& edit, Write write,
                     Show show) {
  const auto result = write([&](Row& row) {
    require_etag(request.if_match, etag_of(row));
    edit(row);
  });
  return is_done(result.outcome) ? show(context, request) : refused(result.outcome, result.error);
}

template <class Row, class Write>
http_response remove(const http_request& request, const std::string& name, Write write) {
  const auto result = write([&](const Row& row) { require_etag(request.if_match, etag_of(row)); });
  return is_done(result.outcome) ? http_named(200, name) : refused(result.outcome, result.error);
}

using stratumproxy::algorithm::info;

}  // namespace

http_response show_algorithm(const api_context& context, const http_request& request) {
  const auto name = lower_case(request.parameter);
  for (const auto& row : context.database.algorithms())
    if (row.name == name) return answer(row);
  return refused(write_outcome::unknown_algorithm, {});
}

http_response change_algorithm(const api_context& context, const http_request& request) {
  json_body members(request);
  const auto edit = read_algorithm_edit(members);
  members.finish();
  const auto write = [&](const algorithm_edit& with) {
    return context.database.change_algorithm(author_of(request), lower_case(request.parameter), with);
  };
  return change<info>(context, request, edit, write, show_algorithm);
}

http_response remove_algorithm(const api_context& context, const http_request& request) {
  const auto name = lower_case(request.parameter);
  return remove<info>(request, name, [&](const auto& check) {
    return context.database.remove_algorithm(author_of(request), name, check);
  });
}

http_response show_pool(const api_context& context, const http_request& request) {
  const auto name = pool_name(request.parameter);
  for (const auto& row : context.database.pools())
    if (row.pool == name) return answer(row);
  return refused(write_outcome::unknown_pool, {});
}

http_response change_pool(const api_context& context, const http_request& request) {
  const auto name = pool_name(request.parameter);
  json_body members(request);
  const auto edit = read_pool_edit(members);
  members.finish();
  const auto write = [&](const pool_edit& with) { return context.database.change_pool(author_of(request), name, with); };
  return change<pool_record>(context, request, edit, write, show_pool);
}

http_response remove_pool(const api_context& context, const http_request& request) {
  const auto name = pool_name(request.parameter);
  return remove<pool_record>(request, name, [&](const auto& check) {
    return context.database.remove_pool(author_of(request), name, check);
  });
}

}  // namespace stratumproxyd
