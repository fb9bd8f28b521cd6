#pragma once

#include "admin/api.hpp"
#include "admin/http_server.hpp"

namespace stratumproxyd {

/// The page at / and its files. They hold no data, and are open: what the page shows it asks the API for. /dashboard.json
/// says what somebody needs who registers an account.
void add_dashboard(http_server& server, const api_context& context);

}  // namespace stratumproxyd
