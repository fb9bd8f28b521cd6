#pragma once

#include <span>
#include <string_view>

namespace stratumproxyd {

/// A file of the dashboard, as it was when the program was built: of admin/dashboard/, or the chart library.
struct dashboard_file {
  std::string_view name;
  std::string_view etag;  ///< in its quotes
  std::string_view content;
};

/// All of them; written by cmake/embed_files.cmake.
[[nodiscard]] std::span<const dashboard_file> dashboard_files();

}  // namespace stratumproxyd
