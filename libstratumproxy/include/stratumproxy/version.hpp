#pragma once

namespace stratumproxy {

/// The version of the library, "0.1.0".
[[nodiscard]] const char* version() noexcept;

}  // namespace stratumproxy
