#include <algorithm>
#include <string>
#include <string_view>

#include "admin/handlers.hpp"
#include "admin/json_answer.hpp"
#include "admin/json_body.hpp"
#include "admin/tokens.hpp"
#include "store/text.hpp"

namespace stratumproxyd {
namespace {

// As the paths of routes have them, and as the audit log tells them apart from who has none.
void require_token_name(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  };
  if (!std::ranges::all_of(name, is_plain))
    throw refusal{400, "names of tokens consist of 1 to 64 letters, digits and the characters - _"};
  if (name == file_token_name || name == nobody_name || name == automatic_author.actor)
    throw refusal{400, "that name stands for something else in the audit log"};
}

}  // namespace

http_response list_tokens(const api_context& context) {
  json_answer out;
  out.begin_array("tokens");
  for (const auto& each : context.database.access().tokens()) {
    out.begin_object();
    out.put("name", each.name);
    out.put("role", name(each.role));
    out.put("created_at", each.created_at);
    if (each.last_used_at.empty())
      out.put_null("last_used_at");
    else
      out.put("last_used_at", each.last_used_at);
    out.end_object();
  }
  out.end_array();
  return out.done();
}

http_response add_token(const api_context& context, const http_request& request) {
  json_body members(request);
  token_row row;
  row.name = members.text("name", 1, longest_name);
  const auto role = token_role_from_name(members.text("role", 1, longest_name));
  members.finish();
  require_token_name(row.name);
  if (!role) throw refusal{400, "role must be admin, read-only or register-only"};
  // From the first token on one is needed, and only an admin's can make another.
  if (*role != token_role::admin && !context.tokens.any())
    throw refusal{409, "the first token must be an admin's: from then on nobody else could make one"};
  row.role = *role;
  const auto token = random_token();
  row.hash = token_hash(token);
  if (!context.database.access().add_token(author_of(request), row)) throw refusal{409, "there is a token of that name; remove it first"};
  context.tokens.add(row);

  json_answer out;
  out.put("name", row.name);
  out.put("token", token);
  out.put("role", name(row.role));
  auto answer = out.done();
  answer.status = 201;
  answer.headers.emplace_back("Cache-Control", "no-store");
  return answer;
}

http_response remove_token(const api_context& context, const http_request& request) {
  switch (context.database.access().remove_token(author_of(request), request.parameter, !context.tokens.has_file_token())) {
    case token_removal::removed: break;
    case token_removal::unknown: return http_error(404, "unknown token");
    case token_removal::last_admin:
      return http_error(409, "this is the last admin token, and there is no token file: nobody could make another");
  }
  context.tokens.remove(request.parameter);
  return http_named(200, request.parameter);
}

}  // namespace stratumproxyd
