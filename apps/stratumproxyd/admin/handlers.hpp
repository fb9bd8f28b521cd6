#pragma once

#include <string_view>

#include "admin/api.hpp"
#include "admin/http.hpp"
#include "store/store.hpp"

namespace stratumproxyd {

// What docs/api.md describes, by its routes. All may throw refusal and store_unavailable.

// users_api.cpp
http_response register_user(const api_context& context, const http_request& request);
http_response show_user(const api_context& context, const http_request& request);
http_response change_user(const api_context& context, const http_request& request);
http_response remove_user(const api_context& context, const http_request& request);

// users_list_api.cpp
http_response list_users(const api_context& context, const http_request& request);

// history_api.cpp
http_response show_history(const api_context& context, const http_request& request);

// live_api.cpp
http_response list_workers(const api_context& context, const http_request& request);
http_response list_links(const api_context& context, const http_request& request);

http_response show_worker(const api_context& context, const http_request& request);
http_response list_sessions(const api_context& context, const http_request& request);

// operations_api.cpp
http_response disconnect_worker(const api_context& context, const http_request& request);
http_response move_worker(const api_context& context, const http_request& request);
http_response show_status(const api_context& context, const http_request& request);
http_response reload(const api_context& context, const http_request& request);

// bans_api.cpp
http_response list_bans(const api_context& context);
http_response add_ban(const api_context& context, const http_request& request);
http_response remove_ban(const api_context& context, const http_request& request);

// events_api.cpp
http_response list_events(const api_context& context, const http_request& request);

// tables_api.cpp
http_response list_algorithms(const api_context& context);
http_response add_algorithm(const api_context& context, const http_request& request);
http_response list_pools(const api_context& context);
http_response add_pool(const api_context& context, const http_request& request);

// tokens_api.cpp
http_response list_tokens(const api_context& context);
http_response add_token(const api_context& context, const http_request& request);
http_response remove_token(const api_context& context, const http_request& request);

// audit_api.cpp
http_response list_audit(const api_context& context, const http_request& request);
/// Who asks, for the changes that the store makes.
[[nodiscard]] author author_of(const http_request& request);
/// Notes what this request did to what runs in the audit log; in the program's own where that cannot be written.
void note_operation(const api_context& context, const http_request& request, const change_note& what);

// table_change_api.cpp
http_response show_algorithm(const api_context& context, const http_request& request);
http_response change_algorithm(const api_context& context, const http_request& request);
http_response remove_algorithm(const api_context& context, const http_request& request);
http_response show_pool(const api_context& context, const http_request& request);
http_response change_pool(const api_context& context, const http_request& request);
http_response remove_pool(const api_context& context, const http_request& request);

// import_api.cpp
http_response export_tables(const api_context& context);
http_response import_tables(const api_context& context, const http_request& request);

/// The answer to a write that did nothing. `error` says why; where it is empty, the outcome does.
[[nodiscard]] http_response refused(write_outcome outcome, std::string_view error);

}  // namespace stratumproxyd
