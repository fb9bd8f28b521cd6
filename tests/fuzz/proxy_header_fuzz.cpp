#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/proxy_header.hpp"

using stratumproxy::net::proxy_header;

// However it is cut, a header is the same: each beginning of it may become it, and what stands behind it changes nothing.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto all = proxy_header::parse(bytes);
  const bool is_whole = all.is == proxy_header::state::whole;
  if (is_whole && (all.size == 0 || all.size > size || all.size > proxy_header::longest)) std::abort();
  bool was_malformed = false;
  for (std::size_t length = 0; length < size && length <= proxy_header::longest; ++length) {
    const auto part = proxy_header::parse(bytes.substr(0, length));
    if (was_malformed && part.is != proxy_header::state::malformed) std::abort();
    was_malformed = part.is == proxy_header::state::malformed;
    if (is_whole && (part.is == proxy_header::state::whole) != (length >= all.size)) std::abort();
    if (is_whole && was_malformed) std::abort();
    if (part.is == proxy_header::state::whole && (!is_whole || part.size != all.size || part.source.has_value() != all.source.has_value()))
      std::abort();
  }
  if (was_malformed && all.is != proxy_header::state::malformed && size <= proxy_header::longest) std::abort();
  return 0;
}
