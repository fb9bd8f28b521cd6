#pragma once

#include <memory>

#include <sqlite3.h>

namespace stratumproxyd {

struct close_connection {
  void operator()(sqlite3* connection) const noexcept { sqlite3_close_v2(connection); }
};
struct finalize_statement {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using connection_handle = std::unique_ptr<sqlite3, close_connection>;
using statement_handle = std::unique_ptr<sqlite3_stmt, finalize_statement>;

}  // namespace stratumproxyd
