#pragma once

#include <span>
#include <string_view>

#include "admin/http.hpp"

namespace stratumproxyd {

/// A file as it was when the program was built.
struct embedded_file {
  std::string_view name;
  std::string_view etag;  ///< in its quotes
  std::string_view content;
};

// Written by cmake/embed_files.cmake.

/// Those of admin/dashboard/, and the chart library.
[[nodiscard]] std::span<const embedded_file> dashboard_files();
/// docs/openapi.yaml as JSON, with the program's version; one file.
[[nodiscard]] std::span<const embedded_file> api_description();

/// The file with its ETag, or 304 where the client has it. To be kept, but asked about each time: a new version is there at once.
[[nodiscard]] http_response file_answer(const embedded_file& file, const http_request& request);

}  // namespace stratumproxyd
